// The last resort of the process: what nobody handled is counted and told, and after an exception the process drains and ends. Knows no
// transport.

import { inspect } from 'node:util';
import type { CoreLogger } from '../core/ports/application.js';

export interface FaultCounts {
  exceptions: number;
  rejections: number;
}

export interface LastResortParts {
  readonly logger: Pick<CoreLogger, 'error'>;
  readonly exit: (code: number) => void;
}

/** Exceptions that are told. One that telling itself throws, as with a log whose reader is gone, must not go round for ever. */
const TOLD = 10;

export class LastResort {
  counts: FaultCounts = { exceptions: 0, rejections: 0 };
  /** Drains and ends the process; undefined until there is something to drain. */
  leave: (() => void) | undefined;

  constructor(private readonly parts: LastResortParts) {}

  install(target: Pick<NodeJS.Process, 'on'> = process): void {
    target.on('uncaughtException', (error) => this.onException(error));
    target.on('unhandledRejection', (reason) => this.onRejection(reason));
  }

  /**
   * After an exception nobody knows what was left half done, so the process must go; but those who are connected are moved first, as at any
   * stop. More exceptions on the way change nothing: the drain has its own limit.
   */
  private onException(error: unknown): void {
    this.counts.exceptions++;
    if (this.counts.exceptions <= TOLD)
      this.parts.logger.error('An exception was not handled; draining.', described(error));
    if (this.leave === undefined) this.parts.exit(1);
    else this.leave();
  }

  /** Of a promise nobody waited for: what it did is done, and the others are served on. */
  private onRejection(reason: unknown): void {
    this.counts.rejections++;
    this.parts.logger.error('A rejection was not handled.', described(reason));
  }
}

function described(thrown: unknown): Readonly<Record<string, unknown>> {
  if (thrown instanceof Error) return { reason: thrown.message, stack: thrown.stack };
  // An object without a prototype has no text, and asking for it would throw here.
  if (typeof thrown === 'object') return { reason: Object.prototype.toString.call(thrown) };
  return { reason: inspect(thrown) };
}
