// From the signal to the exit: drain, close, end. A second signal, or a stop that takes too long, ends the process at once.

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

interface Stop {
  readonly cause: string;
  readonly windowMs: number;
  readonly code: number;
}

/** Ctrl-C at a terminal means now: its drain is this short. Milliseconds. */
const INTERRUPT_DRAIN_MS = 1000;

export class Shutdown {
  private started = false;

  constructor(private readonly parts: ShutdownParts) {}

  /** `SIGTERM` drains over the whole window, `SIGINT` over a second. */
  async onSignal(signal: 'SIGTERM' | 'SIGINT'): Promise<void> {
    const { exit, logger, options } = this.parts;
    if (this.started) {
      logger.warn('Second signal: ending at once.', { signal });
      exit(1);
      return;
    }
    const windowMs = signal === 'SIGINT' ? Math.min(INTERRUPT_DRAIN_MS, options.drainMs) : options.drainMs;
    await this.stop({ cause: signal, windowMs, code: 0 });
  }

  /** After an exception that nobody handled: as `SIGTERM`, and the code says that it was no ordinary end. */
  async onFault(): Promise<void> {
    if (!this.started) await this.stop({ cause: 'fault', windowMs: this.parts.options.drainMs, code: 1 });
  }

  private async stop({ cause, windowMs, code }: Stop): Promise<void> {
    const { operations, close, exit, logger, options } = this.parts;
    this.started = true;
    const limit = setTimeout(() => {
      logger.error('The stop took too long; ending now.', { limitMs: windowMs + options.stopMs });
      exit(1);
    }, windowMs + options.stopMs);
    limit.unref();
    logger.warn('Draining.', { signal: cause, sessions: operations.counts().sessions, windowMs });
    try {
      await operations.drain(windowMs);
      await close();
      clearTimeout(limit);
      logger.warn('Stopped.');
      exit(code);
    } catch (error) {
      logger.error('The stop failed.', { error: String(error) });
      exit(1);
    }
  }
}
