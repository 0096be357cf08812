// Makes, starts and stops the application from a configuration; the same for the process and for tests. Reads no environment.

import 'reflect-metadata';
import { readFileSync } from 'node:fs';
import type { Server } from 'node:http';
import { fileURLToPath } from 'node:url';
import { NestFactory } from '@nestjs/core';
import type { NestExpressApplication } from '@nestjs/platform-express';
import { configureApi } from './api/configure-api.js';
import { allowCors } from './auth/cors.js';
import { OriginPolicy } from './auth/origin.js';
import { AppModule, type AppParts } from './app.module.js';
import { ConfigError, type Config } from './config/config.js';
import { servePages } from './console/pages.js';
import { Operations } from './core/operations.js';
import { StructuredLogger } from './ops/logger.js';
import { Shutdown } from './ops/shutdown.js';
import { TrunklineWsAdapter } from './transports/ws/ws.adapter.js';

export interface Running {
  readonly app: NestExpressApplication;
  readonly port: number;
}

export interface BootOptions extends AppParts {
  readonly logger?: StructuredLogger;
}

/** Connections the kernel may hold while a reconnect storm waits to be accepted; Node's default is 511. */
const BACKLOG = 4096;
const PAGES = fileURLToPath(new URL('../web/dist', import.meta.url));

export async function createApp(config: Config, options: BootOptions = {}): Promise<NestExpressApplication> {
  const { logger = new StructuredLogger(config.ops), ...parts } = options;
  const root = await AppModule.forRoot(config, logger, parts);
  const app = await NestFactory.create<NestExpressApplication>(root, {
    logger,
    rawBody: true,
    // An open stream would keep `close` waiting for ever.
    forceCloseConnections: true,
    ...tls(config),
  });
  const server = app.getHttpServer();
  boundRequests(server, config.server.keepAliveMs);
  app.use(allowCors(app.get(OriginPolicy)));
  configureApi(app);
  servePages(app, PAGES);
  app.useWebSocketAdapter(new TrunklineWsAdapter(app, server));
  return app;
}

export async function startApp(config: Config, options?: BootOptions): Promise<Running> {
  const app = await createApp(config, options);
  await app.init();
  const server = app.getHttpServer();
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen({ port: config.server.port, host: config.server.host, backlog: BACKLOG }, () => {
      server.off('error', reject);
      resolve();
    });
  });
  const address = server.address();
  return { app, port: typeof address === 'object' && address !== null ? address.port : config.server.port };
}

/** Starts, and stops as a deployed process does: SIGTERM drains, a second signal ends at once. For the main file of an application. */
export async function serve(config: Config, options: BootOptions = {}): Promise<Running> {
  const { logger = new StructuredLogger(config.ops) } = options;
  const running = await startApp(config, { ...options, logger });
  const shutdown = new Shutdown({
    operations: running.app.get(Operations),
    close: () => running.app.close(),
    exit: (code) => process.exit(code),
    logger,
    options: config.ops,
  });
  for (const signal of ['SIGTERM', 'SIGINT'] as const) {
    process.on(signal, () => void shutdown.onSignal(signal));
  }
  return running;
}

/** A peer that sends its request a byte at a time is cut off after ten seconds, two more at most until it is noticed. */
const REQUEST_MS = 10_000;
const REQUEST_CHECK_MS = 2000;
const SOCKET_BUFFER_BYTES = 16_384;

function boundRequests(server: Server, keepAliveMs: number): void {
  // Both count from the first byte of a request: an idle connection is not a slow one.
  server.headersTimeout = REQUEST_MS;
  server.requestTimeout = REQUEST_MS;
  // Node's 5 s are shorter than proxies reuse a connection: their next request would meet its end, and a POST may not be repeated.
  server.keepAliveTimeout = keepAliveMs;
  // Node 22 raised it to 64 KiB: so much would wait beyond the bound of each outbox before we hear that a peer is slow.
  (server as Server & { highWaterMark: number }).highWaterMark = SOCKET_BUFFER_BYTES;
  // Read when listening starts; only the constructor takes it as an option, and Nest calls that.
  (server as Server & { connectionsCheckingInterval: number }).connectionsCheckingInterval = REQUEST_CHECK_MS;
}

function tls({ server }: Config): { httpsOptions?: { cert: Buffer; key: Buffer; minVersion: 'TLSv1.2' } } {
  if (server.tlsCertFile === '') return {};
  const cert = readPem('TRUNKLINE_TLS_CERT_FILE', server.tlsCertFile);
  const key = readPem('TRUNKLINE_TLS_KEY_FILE', server.tlsKeyFile);
  return { httpsOptions: { cert, key, minVersion: 'TLSv1.2' } };
}

function readPem(name: string, file: string): Buffer {
  try {
    return readFileSync(file);
  } catch (error) {
    throw new ConfigError([
      `${name}: the file cannot be read (${error instanceof Error ? error.message : file}).`,
    ]);
  }
}
