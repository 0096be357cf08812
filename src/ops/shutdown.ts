// From the signal to exit 0: drain, close, end. A second signal, or a stop that takes too long, ends the process at once.

import type { Operations } from '../core/operations.js';
import type { CoreLogger } from '../core/ports/application.js';
import type { OpsOptions } from './ops.options.js';

export interface ShutdownParts {
  readonly operations: Operations;
  /** Closes the application: HTTP server, gateways, backplane. */
  readonly close: () => Promise<void>;
  readonly exit: (code: number) => void;
  readonly logger: CoreLogger;
  readonly options: OpsOptions;
}

/** Ctrl-C at a terminal means now: its drain is this short. Milliseconds. */
const INTERRUPT_DRAIN_MS = 1000;

export class Shutdown {
  private started = false;

  constructor(private readonly parts: ShutdownParts) {}

  /** `SIGTERM` drains over the whole window, `SIGINT` over a second. */
  async onSignal(signal: 'SIGTERM' | 'SIGINT'): Promise<void> {
    const { operations, close, exit, logger, options } = this.parts;
    if (this.started) {
      logger.warn('Second signal: ending at once.', { signal });
      exit(1);
      return;
    }
    this.started = true;
    const windowMs = signal === 'SIGINT' ? Math.min(INTERRUPT_DRAIN_MS, options.drainMs) : options.drainMs;
    const limit = setTimeout(() => {
      logger.error('The stop took too long; ending now.', { limitMs: windowMs + options.stopMs });
      exit(1);
    }, windowMs + options.stopMs);
    limit.unref();
    logger.warn('Draining.', { signal, sessions: operations.counts().sessions, windowMs });
    try {
      await operations.drain(windowMs);
      await close();
      clearTimeout(limit);
      logger.warn('Stopped.');
      exit(0);
    } catch (error) {
      logger.error('The stop failed.', { error: String(error) });
      exit(1);
    }
  }
}
