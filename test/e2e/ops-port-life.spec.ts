// Starts and stops of a server with a port for operators: it is there before the public one and after it, holds nothing up, and tells what is
// wrong with its place.

import { createServer, type Server } from 'node:net';
import { Injectable, Module, type OnApplicationBootstrap, type OnApplicationShutdown } from '@nestjs/common';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { createApp } from '../../src/bootstrap.js';
import { loadConfig } from '../../src/config/config.js';
import { explained, StartFault } from '../../src/console/start-fault.js';
import { Operations } from '../../src/core/operations.js';
import { StructuredLogger } from '../../src/ops/logger.js';
import { startE2e } from '../support/e2e-server.js';
import { freePorts } from '../support/free-ports.js';
import { disposeSockets, open, startBoth, type Both } from '../support/ops-port.js';
import { killProcesses, startProcess } from '../support/processes.js';
import { connect, disposeClients } from '../support/ws-client.js';

// Each process is a start of Node, which takes seconds on a busy machine.
vi.setConfig({ testTimeout: 60_000 });

afterEach(async () => {
  disposeClients();
  disposeSockets();
  await killProcesses();
});

describe('a stop', () => {
  it('can be watched there from its first moment on: not ready, and figures', async () => {
    const { server, ops } = await startBoth();
    const ana = await server.join('ana');
    const drained = server.app.get(Operations).drain(1000);
    await ana.next('reconnect');
    const [ready, live, metrics] = await Promise.all(
      ['health/ready', 'health/live', 'metrics'].map((path) => fetch(`${ops}/${path}`)),
    );
    expect([ready?.status, live?.status]).toEqual([503, 200]);
    expect(await ready?.json()).toEqual({ status: 'not ready', draining: true, backplane: 'up' });
    expect(await metrics?.text()).toMatch(/^trunkline_draining 1$/m);
    await drained;
    expect((await fetch(`${ops}/health/ready`)).status).toBe(503);
    await server.close();
    await expect(fetch(`${ops}/health/live`)).rejects.toThrow();
  });

  it('leaves it open until all else is closed, and tells that nobody new is welcome', async () => {
    const seen: (readonly unknown[])[] = [];
    const place: { both?: Both } = {};
    @Injectable()
    class Watch implements OnApplicationShutdown {
      async onApplicationShutdown(): Promise<void> {
        const { server, ops } = place.both as Both;
        seen.push([await fetch(server.url).then(String, () => 'closed')]);
        for (const path of ['health/ready', 'health/live', 'metrics'])
          seen.push([path, (await fetch(`${ops}/${path}`)).status]);
      }
    }
    @Module({ providers: [Watch] })
    class WatchModule {}
    place.both = await startBoth({ boot: { modules: [WatchModule] } });
    await place.both.server.close();
    expect(seen).toEqual([['closed'], ['health/ready', 503], ['health/live', 200], ['metrics', 200]]);
  });

  it('is not held up by who is connected there: idle, silent, or in the middle of a request', async () => {
    const { server, ops, opsPort } = await startBoth();
    await fetch(`${ops}/health/live`, { headers: { connection: 'keep-alive' } });
    const silent = await open(opsPort);
    const slow = await open(opsPort);
    slow.write('GET /metrics HTTP/1.1\r\nHo');
    const ends = [silent, slow].map((socket) => new Promise((resolve) => socket.once('close', resolve)));
    for (const socket of [silent, slow]) socket.resume();
    const start = performance.now();
    await server.app.close();
    await Promise.all(ends);
    expect(performance.now() - start).toBeLessThan(2500);
    await expect(fetch(`${ops}/health/live`)).rejects.toThrow();
    await server.close();
  });

  it('by SIGTERM turns readiness off there while clients move, and the process ends with code 0', async () => {
    const [opsPort = 0] = await freePorts(1);
    const server = await startProcess({ TRUNKLINE_OPS_PORT: String(opsPort), TRUNKLINE_DRAIN_MS: '3000' });
    expect(server.output).toContain(`http://127.0.0.1:${opsPort}/metrics`);
    const ready = async (): Promise<number> =>
      (await fetch(`http://127.0.0.1:${opsPort}/health/ready`)).status;
    expect([await ready(), (await fetch(`${server.url}/health/ready`)).status]).toEqual([200, 404]);
    // Each has a quarter of the window for its moment: the last one goes after 2.25 s at the earliest.
    const clients = await Promise.all(
      [1, 2, 3, 4].map(() => connect(server.wsUrl, { token: server.token('ana') })),
    );
    server.signal('SIGTERM');
    await clients[0]?.next('reconnect');
    expect(await ready()).toBe(503);
    expect((await fetch(`http://127.0.0.1:${opsPort}/metrics`)).status).toBe(200);
    expect(await server.exited).toEqual({ code: 0, signal: null });
  });
});

describe('a start', () => {
  let taken: Server;
  let takenPort: string;
  beforeAll(async () => {
    taken = createServer((socket) => socket.destroy());
    await new Promise<void>((resolve) => taken.listen(0, '127.0.0.1', resolve));
    takenPort = String((taken.address() as { port: number }).port);
  });
  afterAll(() => new Promise((resolve) => taken.close(resolve)));

  it('says nowhere that it is ready before the public port is open', async () => {
    const seen: unknown[] = [];
    const [port = 0, opsPort = 0] = await freePorts(2);
    @Injectable()
    class Early implements OnApplicationBootstrap {
      async onApplicationBootstrap(): Promise<void> {
        seen.push(
          await fetch(`http://127.0.0.1:${opsPort}/health/ready`).then(
            ({ status }) => status,
            () => 'closed',
          ),
        );
        seen.push(await fetch(`http://127.0.0.1:${port}/`).then(String, () => 'closed'));
      }
    }
    @Module({ providers: [Early] })
    class EarlyModule {}
    const server = await startE2e({
      env: { PORT: String(port), TRUNKLINE_OPS_PORT: String(opsPort) },
      boot: { modules: [EarlyModule] },
    });
    expect(seen).toEqual([expect.toBeOneOf([503, 'closed']), 'closed']);
    expect((await fetch(`http://127.0.0.1:${opsPort}/health/ready`)).status).toBe(200);
    await server.close();
  });

  it.each([
    ['a port that is taken', () => ({ TRUNKLINE_OPS_PORT: takenPort }), 'EADDRINUSE'],
    [
      'an address of another machine',
      () => ({ TRUNKLINE_OPS_PORT: takenPort, TRUNKLINE_OPS_HOST: '192.0.2.1' }),
      'EADDRNOTAVAIL',
    ],
  ])('with %s opens no port, says which variables to change, and can be closed', async (_how, env, code) => {
    const { config } = loadConfig({ NODE_ENV: 'test', PORT: '0', HOST: '127.0.0.1', ...env() });
    const app = await createApp(config, { logger: new StructuredLogger({ logLevel: 'silent' }) });
    const fault = explained(await app.init().catch((error: unknown) => error), '');
    expect(fault).toBeInstanceOf(StartFault);
    const { message } = fault as StartFault;
    expect(message).toMatch(
      new RegExp(`^Health and metrics cannot be served: listen ${code}: .*${takenPort}`),
    );
    for (const name of ['TRUNKLINE_OPS_PORT', 'TRUNKLINE_OPS_HOST']) expect(message).toContain(name);
    expect(app.getHttpServer().listening).toBe(false);
    await app.close();
  });

  it('of the process with a port that is taken ends with the variable and without a stack', async () => {
    const failed = await startProcess({ TRUNKLINE_OPS_PORT: takenPort }).catch(String);
    expect(failed).toContain('ended with code 1');
    expect(failed).toContain(`EADDRINUSE: address already in use 127.0.0.1:${takenPort}.`);
    expect(failed).toContain('Set TRUNKLINE_OPS_PORT to a free port');
    expect(failed).not.toMatch(/\n +at /);
  });
});
