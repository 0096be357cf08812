// Starts the built server as a real process on a free port, waits until it is ready, and ends it by its own handle.

import { spawn, type ChildProcess } from 'node:child_process';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { signToken, TEST_API_KEY, TEST_SECRET } from './server.js';

const DIST = new URL('../../dist/', import.meta.url);
/** Milliseconds until the server must have told its address. It takes about 1 s; the rest is for a busy machine. */
const START_LIMIT_MS = 20_000;
const ADDRESS = /websocket +wss?:\/\/localhost:(\d+)\/ws/;

export interface Exit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

const running = new Set<ServerProcess>();

/** Ends with SIGKILL what a test left behind. */
export async function killProcesses(): Promise<void> {
  await Promise.all([...running].map((server) => server.kill('SIGKILL')));
}

export class ServerProcess {
  /** Everything it printed, both streams. */
  output = '';
  readonly exited: Promise<Exit>;

  constructor(
    private readonly child: ChildProcess,
    readonly port: number,
  ) {
    running.add(this);
    this.exited = new Promise((resolve) => {
      child.once('exit', (code, signal) => {
        running.delete(this);
        resolve({ code, signal });
      });
    });
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}`;
  }

  get wsUrl(): string {
    return `ws://127.0.0.1:${this.port}/ws`;
  }

  token(user: string, claims?: Record<string, unknown>): string {
    return signToken({ sub: user, ...claims });
  }

  signal(signal: NodeJS.Signals): void {
    this.child.kill(signal);
  }

  kill(signal: NodeJS.Signals): Promise<Exit> {
    this.signal(signal);
    return this.exited;
  }
}

/**
 * The environment of this process is not handed on, so that a developer's own settings change nothing. `start.mjs` is what ships: the same
 * server in few files, up in half the time.
 */
export async function startProcess(
  env: Readonly<Record<string, string>> = {},
  entry: 'main.js' | 'start.mjs' = 'main.js',
): Promise<ServerProcess> {
  const main = fileURLToPath(new URL(entry, DIST));
  if (!existsSync(main)) throw new Error(`dist/${entry} is not there; run \`npm run build\` first.`);
  const child = spawn(process.execPath, [main], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: {
      PATH: process.env['PATH'],
      NODE_ENV: 'test',
      PORT: '0',
      HOST: '127.0.0.1',
      TRUNKLINE_JWT_SECRET: TEST_SECRET,
      TRUNKLINE_API_KEYS: TEST_API_KEY,
      TRUNKLINE_MESSAGE_RATE: '0',
      TRUNKLINE_HTTP_RATE: '0',
      ...env,
    },
  });
  let output = '';
  let server: ServerProcess | undefined;
  return new Promise((resolve, reject) => {
    const fail = (why: string): void => {
      child.kill('SIGKILL');
      reject(new Error(`${why}\n${output}`));
    };
    const timer = setTimeout(
      () => fail(`The server did not start within ${START_LIMIT_MS} ms.`),
      START_LIMIT_MS,
    );
    const hear = (chunk: Buffer): void => {
      output += chunk.toString('utf8');
      if (server !== undefined) server.output = output;
      const port = ADDRESS.exec(output)?.[1];
      if (server !== undefined || port === undefined) return;
      clearTimeout(timer);
      server = new ServerProcess(child, Number(port));
      server.output = output;
      resolve(server);
    };
    child.stdout.on('data', hear);
    child.stderr.on('data', hear);
    child.once('error', (error) => fail(error.message));
    child.once('exit', (code) => {
      clearTimeout(timer);
      if (server === undefined) fail(`The server ended with code ${code} before it was up.`);
    });
  });
}
