// Start and stop; nothing else.

import { startApp } from './bootstrap.js';
import { ConfigError, loadConfig } from './config/config.js';
import { Operations } from './core/operations.js';
import { StructuredLogger } from './ops/logger.js';
import { Shutdown } from './ops/shutdown.js';
import { greeting } from './console/greeting.js';

async function main(): Promise<void> {
  const { config, warnings } = loadConfig();
  const logger = new StructuredLogger(config.ops);
  for (const warning of warnings) logger.warn(warning);
  // The last resort: what nobody handled is logged and the process goes on serving the others.
  process.on('unhandledRejection', (reason) =>
    logger.error('A rejection was not handled.', { reason: String(reason) }),
  );
  const { app, port } = await startApp(config, { logger });
  const shutdown = new Shutdown({
    operations: app.get(Operations),
    close: () => app.close(),
    exit: (code) => process.exit(code),
    logger,
    options: config.ops,
  });
  for (const signal of ['SIGTERM', 'SIGINT'] as const)
    process.on(signal, () => void shutdown.onSignal(signal));
  process.stdout.write(
    greeting({ port, production: config.production, tls: config.server.tlsCertFile !== '' }),
  );
}

main().catch((error: unknown) => {
  process.stderr.write(
    `${error instanceof ConfigError ? error.message : error instanceof Error ? error.stack : String(error)}\n`,
  );
  process.exit(1);
});
