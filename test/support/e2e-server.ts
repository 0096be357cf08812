// The real server for one test file: channel rules from a temporary file, options that have no variable, and an end that disposes everything.

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startApp, type BootOptions } from '../../src/bootstrap.js';
import { loadConfig, type Config } from '../../src/config/config.js';
import { Core } from '../../src/core/core.js';
import { RealtimeService } from '../../src/core/realtime.service.js';
import { signToken, startServer, TEST_API_KEY, TEST_SECRET, type TestServer } from './server.js';
import { connect, disposeClients, type ConnectOptions, type WsClient } from './ws-client.js';

/** No limit that ordinary traffic of a test would meet. */
export const UNLIMITED = {
  TRUNKLINE_MESSAGE_RATE: '0',
  TRUNKLINE_CONNECT_RATE: '0',
  TRUNKLINE_FAILED_LOGIN_RATE: '0',
  TRUNKLINE_HTTP_RATE: '0',
  TRUNKLINE_MAX_SESSIONS_PER_USER: '0',
} as const;

export interface E2eOptions {
  readonly rules?: readonly object[];
  readonly env?: Record<string, string>;
  readonly boot?: BootOptions;
}

export interface E2eServer extends TestServer {
  /** A connected user; a stranger for `undefined`. */
  join(
    user: string | undefined,
    options?: ConnectOptions & { claims?: Record<string, unknown> },
  ): Promise<WsClient>;
  /** A call of the REST API with the backend's key. */
  api(method: string, path: string, body?: unknown): Promise<Response>;
}

/** A rules file and what removes it. */
export function rulesFile(rules: readonly object[]): { readonly path: string; remove(): void } {
  const folder = mkdtempSync(join(tmpdir(), 'trunkline-rules-'));
  const path = join(folder, 'channels.json');
  writeFileSync(path, JSON.stringify(rules));
  return { path, remove: () => rmSync(folder, { recursive: true, force: true }) };
}

export async function startE2e({ rules = [], env = {}, boot }: E2eOptions = {}): Promise<E2eServer> {
  const file = rulesFile(rules);
  const server = await startServer({ ...UNLIMITED, TRUNKLINE_CHANNELS_FILE: file.path, ...env }, boot);
  return {
    ...server,
    join: (user, { claims, ...options } = {}) =>
      connect(server.wsUrl, {
        ...(user === undefined ? {} : { token: server.token(user, claims) }),
        ...options,
      }),
    api: (method, path, body) =>
      fetch(`${server.url}/api${path}`, {
        method,
        headers: { authorization: `Bearer ${TEST_API_KEY}`, 'content-type': 'application/json' },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      }),
    close: async () => {
      disposeClients();
      await server.close();
      file.remove();
    },
  };
}

/** A server whose configuration is changed where no variable reaches. */
export async function startPatched(
  patch: (config: Config) => Config,
  env: Record<string, string> = {},
): Promise<Pick<E2eServer, 'wsUrl' | 'core' | 'realtime' | 'token' | 'close'>> {
  const { config } = loadConfig({
    NODE_ENV: 'test',
    PORT: '0',
    HOST: '127.0.0.1',
    TRUNKLINE_JWT_SECRET: TEST_SECRET,
    TRUNKLINE_LOG_LEVEL: 'silent',
    ...UNLIMITED,
    ...env,
  });
  const { app, port } = await startApp(patch(structuredClone(config)));
  return {
    wsUrl: `ws://127.0.0.1:${port}/ws`,
    core: app.get(Core),
    realtime: app.get(RealtimeService),
    token: (user, claims) => signToken({ sub: user, ...claims }),
    close: async () => {
      disposeClients();
      await app.close();
    },
  };
}

/** A figure for people, which no test asserts: it depends on the machine. */
export function report(figure: string): void {
  process.stdout.write(`${figure}\n`);
}
