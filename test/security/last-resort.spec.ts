// What nobody handled does not end the process at once: it is counted and told, and after an exception the clients are moved first.

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterAll, afterEach, describe, expect, it, vi } from 'vitest';
import { LastResort } from '../../src/ops/last-resort.js';
import { killProcesses, startProcess, type ServerProcess } from '../support/processes.js';
import { connect, disposeClients } from '../support/ws-client.js';
import { until } from '../support/wait.js';

const folder = mkdtempSync(join(tmpdir(), 'trunkline-fault-'));
const fault = join(folder, 'fault.mjs');
// Loaded before the server: a fault of a team's own code that nothing of ours stands around.
writeFileSync(
  fault,
  `process.on('SIGUSR2', () => setImmediate(() => { throw new Error('boom ' + 'x'.repeat(10)); }));
process.on('SIGWINCH', () => void Promise.reject(new Error('nobody waits')));`,
);
const FAULTY = { NODE_OPTIONS: `--import=${pathToFileURL(fault).href}`, TRUNKLINE_DRAIN_MS: '1000' };

afterEach(() => disposeClients());
afterAll(async () => {
  await killProcesses();
  rmSync(folder, { recursive: true });
});

async function unhandled(server: ServerProcess): Promise<readonly string[]> {
  const text = await (await fetch(`${server.url}/metrics`)).text();
  return text.split('\n').filter((line) => line.startsWith('trunkline_unhandled_total'));
}

describe('a process', { timeout: 60_000 }, () => {
  it('goes on after a rejection that nobody handled, counts it and tells it', async () => {
    const server = await startProcess(FAULTY);
    expect(await unhandled(server)).toEqual([
      'trunkline_unhandled_total{kind="exceptions"} 0',
      'trunkline_unhandled_total{kind="rejections"} 0',
    ]);
    const client = await connect(server.wsUrl, { token: server.token('ana') });
    server.signal('SIGWINCH');
    await until(() => server.output.includes('nobody waits'), 'the rejection to be told');
    await client.ok('ping');
    expect(await unhandled(server)).toContain('trunkline_unhandled_total{kind="rejections"} 1');
    expect(await server.kill('SIGTERM')).toEqual({ code: 0, signal: null });
  });

  it('drains after an exception that nobody handled, and ends with a code of its own', async () => {
    const server = await startProcess(FAULTY);
    const client = await connect(server.wsUrl, { token: server.token('ana') });
    const start = performance.now();
    server.signal('SIGUSR2');
    expect((await client.next('reconnect')).data['afterMs']).toBeTypeOf('number');
    expect((await client.closed).code).toBe(1001);
    expect(await server.exited).toEqual({ code: 1, signal: null });
    // The drain and what the end itself takes.
    expect(performance.now() - start).toBeLessThan(4000);
    expect(server.output).toMatch(/"level":"error".*boom xxxxxxxxxx/);
  });

  it('a second exception in the drain neither ends it at once nor holds it up', async () => {
    const server = await startProcess(FAULTY);
    const client = await connect(server.wsUrl, { token: server.token('ana') });
    server.signal('SIGUSR2');
    await client.next('reconnect');
    server.signal('SIGUSR2');
    await until(() => server.output.split('boom').length > 2, 'the second to be told');
    expect((await client.closed).code).toBe(1001);
    expect((await server.exited).code).toBe(1);
  });

  it('a signal in the drain ends it at once', async () => {
    const server = await startProcess({ ...FAULTY, TRUNKLINE_DRAIN_MS: '30000' });
    await connect(server.wsUrl, { token: server.token('ana') });
    server.signal('SIGUSR2');
    await until(() => server.output.includes('Draining.'), 'the drain to begin');
    expect((await server.kill('SIGTERM')).code).toBe(1);
  });
});

describe('the last resort', () => {
  type Handler = (thrown: unknown) => void;
  function armed(): {
    error: ReturnType<typeof vi.fn>;
    exit: ReturnType<typeof vi.fn>;
    resort: LastResort;
    throws: Handler;
    rejects: Handler;
  } {
    const [error, exit] = [vi.fn(), vi.fn()];
    const resort = new LastResort({ logger: { error }, exit });
    const handlers = new Map<string, Handler>();
    const on = (event: string, handler: Handler): unknown => handlers.set(event, handler);
    resort.install({ on } as unknown as NodeJS.Process);
    const [throws, rejects] = ['uncaughtException', 'unhandledRejection'].map((name) => handlers.get(name));
    if (throws === undefined || rejects === undefined) throw new Error('It did not listen.');
    return { error, exit, resort, throws, rejects };
  }

  it('ends a process that has nothing to drain yet', () => {
    const { exit, throws } = armed();
    throws(new Error('early'));
    expect(exit).toHaveBeenCalledWith(1);
  });

  it.each([undefined, null, 'text', 7n, Symbol('s'), Object.create(null), { toString: () => 1 / 0 }, [1]])(
    'takes whatever was thrown: case %#',
    (thrown) => {
      const { error, rejects, resort } = armed();
      rejects(thrown);
      expect(error).toHaveBeenCalledTimes(1);
      expect(resort.counts.rejections).toBe(1);
    },
  );

  it('does not go round for ever when telling throws in its turn', () => {
    const { error, resort, throws } = armed();
    const leave = vi.fn();
    resort.leave = leave;
    for (let at = 0; at < 1000; at++) throws(new Error('EPIPE'));
    expect(resort.counts.exceptions).toBe(1000);
    expect(error).toHaveBeenCalledTimes(10);
    expect(leave).toHaveBeenCalled();
  });
});
