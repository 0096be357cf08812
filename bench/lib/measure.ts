// One measured run: a fresh server, the load, the figures. Knows no scenario.
import { createServer } from 'node:net';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';
import type { BenchServer } from '../servers/server.js';
import { newSecret, signToken } from '../servers/token.js';
import { BenchError } from './bench-error.js';
import type { Pinning } from './cpus.js';
import { type LoadPlan, type LoadTarget, runLoad, type Sample } from './load.js';
import { type Running, startProgram, stopProgram } from './processes.js';

export interface Bench {
  readonly loadClient: string;
  readonly pinning: Pinning | undefined;
}

export interface RunPlan extends LoadPlan {
  /** Opened and closed before the measured ones, so that the server's code is compiled and its tables are grown. */
  readonly warmupConnections?: number;
}

const READY_DEADLINE_MS = 20_000;
const READY_POLL_MS = 25;
/** What a server does just after its start (loading, first garbage collection) belongs to no figure. */
const REST_MS = 500;

export async function measure(bench: Bench, server: BenchServer, plan: RunPlan): Promise<Sample> {
  const port = await freePort();
  const secret = newSecret();
  const { args, env } = server.launch({ port, secret });
  const running = startProgram({ command: [process.execPath, ...args], env, cpu: bench.pinning?.server });
  try {
    await untilReady(running, `http://127.0.0.1:${port}${server.readyPath}`);
    await pause(REST_MS);
    const dialect = server.dialect(signToken(secret, 'bench'));
    const target: LoadTarget = { port, pid: running.pid, dialect, cpu: bench.pinning?.load };
    if (plan.warmupConnections) {
      await runLoad(bench.loadClient, target, { connections: plan.warmupConnections });
      await pause(REST_MS);
    }
    return await runLoad(bench.loadClient, target, plan);
  } catch (error) {
    if (!(error instanceof BenchError)) throw error;
    throw new BenchError(`${server.name}: ${error.message}\n${running.output()}`.trim());
  } finally {
    await stopProgram(running);
  }
}

async function freePort(): Promise<number> {
  const probe = createServer().listen(0, '127.0.0.1');
  await once(probe, 'listening');
  const { port } = probe.address() as AddressInfo;
  probe.close();
  await once(probe, 'close');
  return port;
}

async function untilReady(running: Running, url: string): Promise<void> {
  const deadline = Date.now() + READY_DEADLINE_MS;
  while (Date.now() < deadline) {
    if (running.child.exitCode !== null || running.child.signalCode !== null) {
      throw new BenchError('ended before it served');
    }
    const answered = await fetch(url).then(
      (response) => response.ok,
      () => false,
    );
    if (answered) return;
    await pause(READY_POLL_MS);
  }
  throw new BenchError(`did not answer ${url} within ${READY_DEADLINE_MS / 1000} s`);
}
