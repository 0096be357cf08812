// Makes, starts and stops the application from a configuration; the same for the process and for tests. Reads no environment.

import 'reflect-metadata';
import { fileURLToPath } from 'node:url';
import { NestFactory } from '@nestjs/core';
import type { NestExpressApplication } from '@nestjs/platform-express';
import { configureApi } from './api/configure-api.js';
import { answerHeaders } from './auth/answer-headers.js';
import { allowCors } from './auth/cors.js';
import { OriginPolicy } from './auth/origin.js';
import { AppModule, type AppParts } from './app.module.js';
import { ConfigError, type Config } from './config/config.js';
import { servePages } from './console/pages.js';
import { Operations } from './core/operations.js';
import { useClientAddress } from './limits/client-address.js';
import { Connections } from './limits/connections.js';
import { MAX_HEADERS, strictRequests } from './limits/request-form.js';
import { boundServer } from './ops/http-server.js';
import { LastResort } from './ops/last-resort.js';
import { StructuredLogger } from './ops/logger.js';
import { Metrics } from './ops/metrics.js';
import { OpsListener } from './ops/ops-listener.js';
import { Shutdown } from './ops/shutdown.js';
import { TlsFiles, type SecureServer, type TlsPair } from './ops/tls-files.js';
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
  const secure = secureOf(config, logger);
  const root = await AppModule.forRoot(config, logger, parts);
  const app = await NestFactory.create<NestExpressApplication>(root, {
    logger,
    rawBody: true,
    // An open stream would keep `close` waiting for ever.
    forceCloseConnections: true,
    ...(secure === undefined ? {} : { httpsOptions: secure.pair }),
  });
  const server = app.getHttpServer();
  boundServer(server, { ...config.server, maxHeaders: MAX_HEADERS }, logger);
  app.get(Connections).guard(server);
  secure?.files.follow(server as unknown as SecureServer, config.server.tlsCheckMs);
  app.use(answerHeaders(), strictRequests(), app.get(OpsListener).divide());
  useClientAddress(app);
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

/**
 * Starts, and stops as a deployed process does: SIGTERM drains, a second signal ends at once, and so does what nobody handled, with a code of
 * its own. For the main file of an application.
 */
export async function serve(config: Config, options: BootOptions = {}): Promise<Running> {
  const { logger = new StructuredLogger(config.ops) } = options;
  const exit = (code: number): never => process.exit(code);
  const lastResort = new LastResort({ logger, exit });
  lastResort.install();
  const running = await startApp(config, { ...options, logger });
  const shutdown = new Shutdown({
    operations: running.app.get(Operations),
    close: () => running.app.close(),
    exit,
    logger,
    options: config.ops,
  });
  lastResort.counts = running.app.get(Metrics, { strict: false }).faults;
  lastResort.leave = () => void shutdown.onFault();
  for (const signal of ['SIGTERM', 'SIGINT'] as const) {
    process.on(signal, () => void shutdown.onSignal(signal));
  }
  return running;
}

interface Secure {
  readonly files: TlsFiles;
  readonly pair: TlsPair;
}

/** Undefined where a proxy ends TLS, or nobody does. */
function secureOf({ server }: Config, logger: StructuredLogger): Secure | undefined {
  const { tlsCertFile: certFile, tlsKeyFile: keyFile } = server;
  if (certFile === '') return undefined;
  const files = new TlsFiles({ certFile, keyFile }, logger);
  try {
    return { files, pair: files.read() };
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new ConfigError([
      `TRUNKLINE_TLS_CERT_FILE and TRUNKLINE_TLS_KEY_FILE: cannot be used (${reason}).`,
    ]);
  }
}
