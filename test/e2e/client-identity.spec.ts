// How the client says who it is: subprotocol, header, refresh.

import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { WebSocket } from 'ws';
import { clientFor, happens, inState, type ClientUnderTest } from '../../client/testing/kit.js';
import { Trunkline, type TrunklineOptions } from '../../client/src/index.js';
import { socketUrl } from '../../client/src/ws-transport.js';
import { FakeWsServer, type FakePeer } from '../support/fake-ws-server.js';

let server: FakeWsServer;
const clients: ClientUnderTest[] = [];

beforeEach(async () => {
  server = await FakeWsServer.start();
});

afterEach(async () => {
  for (const { trunkline } of clients.splice(0)) trunkline.close();
  await server.stop();
});

function make(options: TrunklineOptions): ClientUnderTest {
  const client = clientFor(server.url, options);
  clients.push(client);
  client.trunkline.connect();
  return client;
}

async function welcomed(client: ClientUnderTest): Promise<FakePeer> {
  const peer = await server.peer();
  peer.welcome();
  await inState(client, 'connected');
  return peer;
}

it('makes the address of the socket from what is given', () => {
  expect(socketUrl('http://localhost:3000')).toBe('ws://localhost:3000/ws');
  expect(socketUrl('https://example.org/live/')).toBe('wss://example.org/live/ws');
  expect(socketUrl('ws://localhost:3000')).toBe('ws://localhost:3000/ws');
  expect(socketUrl('wss://example.org/realtime?x=1')).toBe('wss://example.org/realtime?x=1');
  expect(() => socketUrl('localhost')).toThrow('Invalid URL');
});

it('can be made for the address of the page where there is no page, and reaches nothing there', async () => {
  expect(socketUrl('')).toBe('ws://page.invalid/ws');
  const drawn = clientFor('', { transports: ['websocket', 'sse', 'polling'] });
  clients.push(drawn);
  expect(drawn.trunkline.state).toBe('idle');
  drawn.trunkline.connect();
  expect((await inState(drawn, 'waiting')).reason).toContain('page.invalid');
});

it('offers the token as a subprotocol beside the protocol', async () => {
  make({ token: 'a.b.c' });
  const peer = await server.peer();
  expect(peer.offered).toEqual(['trunkline.v1', 'bearer.a.b.c']);
  expect(peer.request.url).toBe('/ws');
});

it('offers no token when there is none', async () => {
  make({});
  expect((await server.peer()).offered).toEqual(['trunkline.v1']);
  make({ token: () => '' });
  expect((await server.peer()).offered).toEqual(['trunkline.v1']);
});

it('sends the token as a header when headers are given', async () => {
  make({ token: 'a.b.c', headers: { 'x-region': 'north' } });
  const { request, offered } = await server.peer();
  expect(request.headers).toMatchObject({ authorization: 'Bearer a.b.c', 'x-region': 'north' });
  expect(offered).toEqual(['trunkline.v1']);
});

it('asks for a token at each connect, and at once after the code for an expired one', async () => {
  let count = 0;
  const client = make({ token: () => Promise.resolve(`t${++count}`) });
  const peer = await welcomed(client);
  expect(peer.offered[1]).toBe('bearer.t1');
  peer.close(4200, 'token expired');
  const second = await server.peer();
  expect(second.offered[1]).toBe('bearer.t2');
  expect(client.states.some(({ state }) => state === 'waiting')).toBe(false);
  second.close(4200, 'token expired');
  expect(await inState(client, 'waiting')).toMatchObject({ code: 4200, retryInMs: 750 });
});

it('backs off when token() fails, and tells the error', async () => {
  let fails = true;
  const client = make({ token: () => (fails ? Promise.reject(new Error('no network')) : 'good') });
  expect(await inState(client, 'waiting')).toMatchObject({ reason: 'no token', retryInMs: 750 });
  expect(client.errors).toEqual([new Error('no network')]);
  fails = false;
  client.clock.advance(750);
  expect((await server.peer()).offered[1]).toBe('bearer.good');
});

it('does not open a socket for a token that comes after close()', async () => {
  let give: (token: string) => void = () => {};
  const client = make({ token: () => new Promise((resolve) => (give = resolve)) });
  client.trunkline.close();
  give('late');
  const other = make({ token: 'other' });
  expect((await server.peer()).offered[1]).toBe('bearer.other');
  expect(server.waiting).toBe(0);
  expect(other.trunkline.state).toBe('connecting');
});

it('keeps the token in the subprotocol where the class is the platform’s, which sends no headers', async () => {
  // As a browser and Node 22 do: what is no protocol is left unread, without a word.
  vi.stubGlobal('WebSocket', function (url: string, protocols: string[]) {
    return new WebSocket(url, protocols);
  });
  const trunkline = new Trunkline(server.url, { token: 'a.b.c', headers: {} });
  try {
    trunkline.connect();
    expect((await server.peer()).offered).toEqual(['trunkline.v1', 'bearer.a.b.c']);
  } finally {
    trunkline.close();
    vi.unstubAllGlobals();
  }
});

it('refreshes the live session when the token is about to end', async () => {
  let count = 0;
  const client = make({ token: () => `t${++count}` });
  const peer = await welcomed(client);
  peer.push('expiring', { expiresAt: 1 });
  const frame = await peer.next('authenticate');
  expect(frame.data).toEqual({ token: 't2' });
  peer.ok(frame, { user: 'ana', expiresAt: 2 });
  expect(client.trunkline.state).toBe('connected');
  expect(client.errors).toEqual([]);
});

it('asks for a token that is about to end as well again after five seconds, not in a circle', async () => {
  let count = 0;
  const client = make({ token: () => `t${++count}` });
  const peer = await welcomed(client);
  const refreshed = async (token: string): Promise<void> => {
    const frame = await peer.next('authenticate');
    expect(frame.data).toEqual({ token });
    peer.ok(frame, { user: 'ana', expiresAt: 2 });
    const heard = happens('event', (resolve) => client.trunkline.on('event', resolve));
    peer.push('expiring', { expiresAt: 2 });
    peer.push('own', {});
    await heard;
  };
  peer.push('expiring', { expiresAt: 1 });
  await refreshed('t2');
  client.clock.advance(4999);
  expect(count).toBe(2);
  client.clock.advance(1);
  await refreshed('t3');
  client.trunkline.close();
  client.clock.advance(60_000);
  expect(count, 'the wait ends with the session').toBe(3);
});

it('tells when the refresh is refused', async () => {
  const client = make({ token: () => 't' });
  const peer = await welcomed(client);
  const told = happens<unknown>('error', (resolve) => client.trunkline.on('error', resolve));
  peer.push('expiring', { expiresAt: 1 });
  peer.error(await peer.next('authenticate'), { code: 'unauthenticated' });
  expect(await told).toMatchObject({ code: 'unauthenticated' });
});

it('does not repeat a fixed token when it is about to end', async () => {
  const client = make({ token: 'fixed' });
  const peer = await welcomed(client);
  peer.push('expiring', { expiresAt: 1 });
  const call = client.trunkline.channel('a').presence();
  peer.ok(await peer.next('presence'), { channel: 'a', members: [] });
  expect(await call).toEqual([]);
});
