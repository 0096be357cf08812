// Which instance a client talks to: told in `welcome` and `ready`, and handed on by the client.

import { afterAll, afterEach, beforeAll, expect, it } from 'vitest';
import { WebSocket } from 'ws';
import { Trunkline, type TransportName } from '../../client/src/index.js';
import { startE2e, type E2eServer } from '../support/e2e-server.js';
import { disposeStreams, openSse } from '../support/sse-client.js';
import { disposeClients } from '../support/ws-client.js';

const INSTANCE = 'rt-7.test';
let server: E2eServer;
beforeAll(async () => {
  server = await startE2e({ env: { TRUNKLINE_INSTANCE: INSTANCE } });
});
afterEach(() => {
  disposeClients();
  disposeStreams();
});
afterAll(() => server.close());

it('is told to a socket, last of its welcome, so that readers of before find all where it was', async () => {
  const client = await server.join('ana');
  const { data } = await client.next('welcome');
  expect(Object.keys(data)).toEqual(['session', 'user', 'heartbeatMs', 'version', 'instance']);
  expect(data['instance']).toBe(INSTANCE);
});

it('is told to a stream', async () => {
  const stream = await openSse(server.url, ['chat:lobby'], { token: server.token('ana') });
  expect(await stream.ready()).toMatchObject({ instance: INSTANCE });
});

it.each<[TransportName, string | undefined]>([
  ['websocket', INSTANCE],
  ['sse', INSTANCE],
  ['polling', undefined],
])('is what the client says over %s: %s', async (transport, expected) => {
  const client = new Trunkline(server.url, {
    token: server.token('ana'),
    transports: [transport],
    webSocket: WebSocket,
  });
  expect(client.instance).toBeUndefined();
  await client.channel('chat:lobby').subscribe();
  expect(client.instance).toBe(expected);
  client.close();
  expect(client.instance).toBeUndefined();
});
