// HAProxy and nginx with the files of deploy/, in front of instances on this machine; ended by their own handles. Knows nothing of what passes.

import { spawn, type ChildProcess } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { haproxyConfig, nginxConfig } from '../../scripts/proxy-config.mjs';
import { findHaproxy } from '../../scripts/system.mjs';
import { freePorts } from './free-ports.js';
import { nginxPath } from './nginx.js';
import { until } from './wait.js';

export type ProxyName = 'nginx' | 'haproxy';

/** A piece of the file of deploy/, and what stands there instead. */
export type Change = readonly [piece: string | RegExp, by: string];

export interface Proxy {
  readonly url: string;
  readonly wsUrl: string;
  /** HAProxy's own page. */
  readonly figuresUrl: string;
  /** The access log of nginx. */
  log(): string;
  /** Everything it has written anywhere, whatever it is. */
  written(): string;
  stop(): Promise<void>;
}

const running = new Set<ChildProcess>();
/** A run that is broken off ends what it started, too. */
process.once('exit', () => {
  for (const child of running) child.kill('SIGTERM');
});

export function haproxyPath(): string {
  const found = findHaproxy();
  if (found === undefined) throw new Error('No haproxy was found; `npm test` says how to get one.');
  return found;
}

/** Three targets, as in the files. */
export async function startProxy(
  name: ProxyName,
  targets: readonly number[],
  changes: readonly Change[] = [],
): Promise<Proxy> {
  const folder = mkdtempSync(join(tmpdir(), `trunkline-${name}-`));
  const [port = 0, figures = 0] = await freePorts(2);
  const file = join(folder, 'config');
  const place = { folder, port, figures, targets, changes };
  writeFileSync(file, name === 'nginx' ? nginxConfig(place) : haproxyConfig(place));
  const child =
    name === 'nginx'
      ? start(nginxPath(), ['-p', folder, '-c', file, '-e', join(folder, 'error.log')])
      : start(haproxyPath(), ['-db', '-f', file]);
  let output = '';
  for (const stream of [child.stdout, child.stderr])
    stream?.on('data', (chunk: Buffer) => (output += chunk.toString()));
  const stop = async (): Promise<void> => {
    await ended(child);
    rmSync(folder, { recursive: true, force: true });
  };
  try {
    await until(async () => {
      if (!running.has(child)) throw new Error(`${name} ended.\n${output}`);
      return answers(port);
    }, `${name} to listen`);
  } catch (error) {
    await stop();
    throw error;
  }
  return {
    url: `http://127.0.0.1:${port}`,
    wsUrl: `ws://127.0.0.1:${port}/ws`,
    figuresUrl: `http://127.0.0.1:${figures}`,
    log: () => readFileSync(join(folder, 'access.log'), 'utf8'),
    written: () =>
      output +
      ['access.log', 'error.log']
        .map((log) => join(folder, log))
        .filter((log) => existsSync(log))
        .map((log) => readFileSync(log, 'utf8'))
        .join(''),
    stop,
  };
}

function start(program: string, args: readonly string[]): ChildProcess {
  const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'pipe'] });
  running.add(child);
  child.once('close', () => running.delete(child));
  child.once('error', () => running.delete(child));
  return child;
}

export function answers(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ port, host: '127.0.0.1' });
    socket.once('connect', () => (socket.destroy(), resolve(true)));
    socket.once('error', () => resolve(false));
  });
}

/** SIGTERM ends both at once, connections included. */
async function ended(child: ChildProcess): Promise<void> {
  if (!running.has(child)) return;
  const closed = new Promise((resolve) => child.once('close', resolve));
  child.kill('SIGTERM');
  const limit = setTimeout(() => child.kill('SIGKILL'), 3000);
  await closed;
  clearTimeout(limit);
}
