// Starts the real server in this process on a free port, as a test sees it: an address, tokens, figures, an end.

import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { createHmac } from 'node:crypto';
import type { NestExpressApplication } from '@nestjs/platform-express';
import { startApp, type BootOptions } from '../../src/bootstrap.js';
import { loadConfig } from '../../src/config/config.js';
import { Core } from '../../src/core/core.js';
import { RealtimeService } from '../../src/core/realtime.service.js';

export const TEST_SECRET = 'a-secret-for-tests-that-is-long-enough-0123456789';
export const TEST_API_KEY = 'test-api-key-0123456789';

export interface TestServer {
  readonly port: number;
  readonly url: string;
  readonly wsUrl: string;
  readonly app: NestExpressApplication;
  readonly core: Core;
  readonly realtime: RealtimeService;
  /** A good HS256 token for an hour; `claims` are added or replaced. */
  token(user: string, claims?: Record<string, unknown>): string;
  stats(): { sessions: number };
  /** Open TCP connections of the HTTP server. */
  connections(): Promise<number>;
  close(): Promise<void>;
}

export async function startServer(
  env: Record<string, string> = {},
  options?: BootOptions,
): Promise<TestServer> {
  const { config } = loadConfig({
    NODE_ENV: 'test',
    PORT: '0',
    HOST: '127.0.0.1',
    TRUNKLINE_JWT_SECRET: TEST_SECRET,
    TRUNKLINE_API_KEYS: TEST_API_KEY,
    TRUNKLINE_LOG_LEVEL: process.env['TEST_LOG_LEVEL'] ?? 'silent',
    ...env,
  });
  const { app, port } = await startApp(config, options);
  const core = app.get(Core);
  let closing: Promise<void> | undefined;
  return {
    port,
    url: `http://127.0.0.1:${port}`,
    wsUrl: `ws://127.0.0.1:${port}/ws`,
    app,
    core,
    realtime: app.get(RealtimeService),
    token: (user, claims) => signToken({ sub: user, ...claims }),
    stats: () => ({ sessions: core.hub.sessionCount }),
    connections: () =>
      new Promise((resolve, reject) => {
        const server = app.getHttpServer() as Server & { address(): AddressInfo };
        server.getConnections((error, count) => (error === null ? resolve(count) : reject(error)));
      }),
    close: () => (closing ??= app.close()),
  };
}

/** Signs by hand, so that a fault in the library's signer and verifier cannot hide each other. */
export function signToken(claims: Record<string, unknown>, secret = TEST_SECRET): string {
  const now = Math.floor(Date.now() / 1000);
  const part = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url');
  const body = `${part({ alg: 'HS256', typ: 'JWT' })}.${part({ iat: now, exp: now + 3600, ...claims })}`;
  return `${body}.${createHmac('sha256', secret).update(body).digest('base64url')}`;
}
