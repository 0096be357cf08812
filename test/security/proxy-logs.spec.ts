// The proxies of deploy/ write no ticket, token or cursor of an address, whatever happens to the request.

import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { startE2e, type E2eServer } from '../support/e2e-server.js';
import { freePorts } from '../support/free-ports.js';
import { startProxy, type Proxy, type ProxyName } from '../support/proxies.js';
import { RawSocket } from '../support/raw-socket.js';
import { disposeStreams } from '../support/sse-client.js';
import { until } from '../support/wait.js';
import { CONNECTS, DoorModule, enter } from '../support/ways-in.js';
import { disposeClients } from '../support/ws-client.js';

const PATHS = { websocket: '/ws', sse: '/sse', polling: '/poll' } as const;
const SECRET = 'a-secret-of-the-address';

let server: E2eServer;
let gone: readonly number[];
beforeAll(async () => {
  server = await startE2e({ boot: { modules: [DoorModule] }, env: { TRUNKLINE_QUERY_TOKENS: 'on' } });
  gone = await freePorts(3);
});
afterEach(() => {
  disposeClients();
  disposeStreams();
});
afterAll(() => server.close());

/** Lines of the access log with this path. */
const linesOf = (proxy: Proxy, path: string): readonly string[] =>
  proxy
    .written()
    .split('\n')
    .filter((line) => new RegExp(`"[A-Z]+ ${path}[ "]`).test(line));

/** Asks by all transports with every form of a secret, and one request that is broken off. */
async function ask(proxy: Proxy, good: string): Promise<void> {
  for (const way of CONNECTS) {
    for (const [name, text] of [
      ['token', good],
      ['token', SECRET],
      ['ticket', SECRET],
      ['cursor', SECRET],
    ] as const)
      await enter(proxy.url, way, { query: [[name, text]] });
  }
  const port = Number(new URL(proxy.url).port);
  const raw = await RawSocket.open(port);
  raw.write(`GET /sse?channel=door:a&token=${SECRET} HTTP/1.1\r\nHost: x\r\n\r\n`);
  raw.dispose();
}

describe.each<ProxyName>(['nginx', 'haproxy'])('%s', (name) => {
  it('writes the path alone of requests that are answered', async () => {
    const proxy = await startProxy(name, [server.port, server.port, server.port]);
    try {
      const good = server.token('ana');
      await ask(proxy, good);
      for (const path of Object.values(PATHS))
        await until(() => linesOf(proxy, path).length >= 4, `the lines of ${path}`);
      for (const secret of [SECRET, good, 'door:']) expect(proxy.written()).not.toContain(secret);
    } finally {
      await proxy.stop();
    }
  });

  it('writes the path alone of requests that nobody answers', async () => {
    const proxy = await startProxy(name, gone);
    try {
      const good = server.token('ana');
      await ask(proxy, good);
      for (const path of Object.values(PATHS))
        await until(() => linesOf(proxy, path).length >= 4, `the lines of ${path}`);
      expect(linesOf(proxy, '/poll').at(-1)).toMatch(/ (502|503|504) /);
      for (const secret of [SECRET, good, 'door:']) expect(proxy.written()).not.toContain(secret);
    } finally {
      await proxy.stop();
    }
  });
});
