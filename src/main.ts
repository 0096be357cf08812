// Start and stop; nothing else.

import { serve } from './bootstrap.js';
import { RulesFileError } from './channels/rules-file.js';
import { ConfigError, loadConfig } from './config/config.js';
import { greeting } from './console/greeting.js';
import { explained, StartFault } from './console/start-fault.js';
import { StructuredLogger } from './ops/logger.js';

async function main(): Promise<void> {
  const { config, warnings } = loadConfig();
  const logger = new StructuredLogger(config.ops);
  for (const warning of warnings) logger.warn(warning);
  // The last resort: what nobody handled is logged, and the process goes on serving the others.
  process.on('unhandledRejection', (reason) =>
    logger.error('A rejection was not handled.', { reason: String(reason) }),
  );
  const { port } = await serve(config, { logger }).catch((error: unknown) => {
    throw explained(error, config.redis.url);
  });
  const tls = config.server.tlsCertFile !== '';
  process.stdout.write(greeting({ port, production: config.production, tls }));
}

main().catch((error: unknown) => {
  const told = [ConfigError, RulesFileError, StartFault].some((kind) => error instanceof kind);
  const text = error instanceof Error ? (told ? error.message : error.stack) : String(error);
  process.stderr.write(`${text}\n`);
  process.exit(1);
});
