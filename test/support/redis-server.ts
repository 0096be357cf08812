// A real redis-server on a free port with a folder of its own, ended by its own handle. Knows nothing of what is kept in it.

import { spawn, type ChildProcess } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import { findRedis } from '../../scripts/system.mjs';
import { freePorts } from './free-ports.js';
import { until } from './wait.js';

/** A restart on the same port is a Redis that lost all. */
const NOTHING_KEPT = ['--save', '', '--appendonly', 'no'];
/** A port that was free may be taken by the time Redis binds it. */
const TRIES = 5;

const SECURE = /^rediss:/;

/** What runs, each in its folder. */
const running = new Map<ChildProcess, string>();
/** A run that is broken off leaves nothing behind, too. */
process.once('exit', () => {
  for (const [child, folder] of running) {
    child.kill('SIGKILL');
    rmSync(folder, { recursive: true, force: true });
  }
});

export interface RedisServerOptions {
  /** A free one when left out. */
  readonly port?: number;
  /** More of the command line. */
  readonly args?: readonly string[];
  /** Text of a Sentinel's configuration: it is a Sentinel then. */
  readonly sentinel?: string;
  /** Files with which it speaks TLS, and nothing else. */
  readonly tls?: RedisTlsFiles;
}

export interface RedisTlsFiles {
  readonly caFile: string;
  readonly certFile: string;
  readonly keyFile: string;
}

export type Command = readonly [name: string, ...args: (string | number)[]];

/** Commands on a connection of their own, so that a fault in between leaves nothing behind. The first error is thrown. */
export async function askRedis(url: string, ...commands: readonly Command[]): Promise<readonly unknown[]> {
  const once = { lazyConnect: true, retryStrategy: () => null, maxRetriesPerRequest: 0 };
  // A test knows whom it has started; whether others would trust it is another question.
  const client = new Redis(url, {
    ...once,
    ...(SECURE.test(url) ? { tls: { rejectUnauthorized: false } } : {}),
  });
  // The same error comes out of `connect` or `call`.
  client.on('error', () => {});
  try {
    await client.connect();
    return await Promise.all(commands.map((command) => client.call(...command)));
  } finally {
    client.disconnect();
  }
}

export class RedisServer {
  private child: ChildProcess | undefined;
  private output = '';

  private constructor(
    readonly port: number,
    readonly folder: string,
    private readonly options: RedisServerOptions,
  ) {}

  static async start(options: RedisServerOptions = {}): Promise<RedisServer> {
    for (let tries = 1; ; tries++) {
      const [port = 0] = options.port === undefined ? await freePorts(1) : [options.port];
      const server = new RedisServer(port, mkdtempSync(join(tmpdir(), 'trunkline-redis-')), options);
      try {
        await server.begin();
        return server;
      } catch (error) {
        await server.stop();
        if (tries === TRIES || options.port !== undefined) throw error;
      }
    }
  }

  get url(): string {
    return `${this.options.tls === undefined ? 'redis' : 'rediss'}://127.0.0.1:${this.port}`;
  }

  /** A command of the test itself, past everything under test. */
  async ask(...command: Command): Promise<unknown> {
    return (await askRedis(this.url, command))[0];
  }

  /** A figure of INFO. */
  async info(name: string): Promise<string | undefined> {
    const text = String(await this.ask('INFO', 'everything'));
    return new RegExp(`^${name}:(.*?)\\r?$`, 'm').exec(text)?.[1];
  }

  /** Stands still with all connections open. */
  pause(): void {
    this.child?.kill('SIGSTOP');
  }

  resume(): void {
    this.child?.kill('SIGCONT');
  }

  kill(): Promise<void> {
    return this.end('SIGKILL');
  }

  /** Closes all connections in order and forgets everything. */
  async shutdown(): Promise<void> {
    // The connection breaks instead of an answer.
    await this.ask('SHUTDOWN', 'NOSAVE').catch(() => {});
    await this.gone();
  }

  /** Comes up empty on the same port. */
  async restart(): Promise<void> {
    await this.kill();
    await this.begin();
  }

  /** Again, after `kill` or `shutdown`. */
  async begin(): Promise<void> {
    this.output = '';
    const child = spawn(redisPath(), this.commandLine(), { stdio: ['ignore', 'pipe', 'pipe'] });
    this.child = child;
    running.set(child, this.folder);
    child.once('close', () => running.delete(child));
    child.once('error', (error) => (this.output += error.message));
    for (const stream of [child.stdout, child.stderr])
      stream.on('data', (chunk: Buffer) => (this.output += chunk.toString()));
    await until(async () => {
      if (!running.has(child)) throw new Error(`redis-server ended.\n${this.output}`);
      return this.answers();
    }, 'redis-server to answer');
  }

  /** For good. */
  async stop(): Promise<void> {
    await this.end('SIGKILL');
    rmSync(this.folder, { recursive: true, force: true });
  }

  private commandLine(): readonly string[] {
    const { sentinel, args = [] } = this.options;
    const place = [...this.ports(), '--dir', this.folder, '--bind', '127.0.0.1'];
    if (sentinel === undefined) return [...place, ...NOTHING_KEPT, ...args];
    // A Sentinel writes what it learns into its file.
    const file = join(this.folder, 'sentinel.conf');
    writeFileSync(file, sentinel);
    return [file, '--sentinel', ...place, ...args];
  }

  private ports(): readonly string[] {
    const { tls } = this.options;
    if (tls === undefined) return ['--port', String(this.port)];
    const files = [
      '--tls-ca-cert-file',
      tls.caFile,
      '--tls-cert-file',
      tls.certFile,
      '--tls-key-file',
      tls.keyFile,
    ];
    const among = ['--tls-auth-clients', 'no', '--tls-replication', 'yes', '--tls-cluster', 'yes'];
    return ['--port', '0', '--tls-port', String(this.port), ...files, ...among];
  }

  private answers(): Promise<boolean> {
    return this.ask('PING').then(
      () => true,
      // It is up and wants a login.
      (error: unknown) => /NOAUTH|NOPERM/.test(String(error)),
    );
  }

  private async end(signal: NodeJS.Signals): Promise<void> {
    this.child?.kill(signal);
    await this.gone();
  }

  private async gone(): Promise<void> {
    const { child } = this;
    if (child === undefined || !running.has(child)) return;
    await new Promise((resolve) => child.once('close', resolve));
  }
}

export function redisPath(): string {
  const found = findRedis();
  if (found === undefined) throw new Error('No redis-server was found; `npm test` says how to get one.');
  return found;
}
