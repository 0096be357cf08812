// One wish to publish with all its attempts, as the history tells it. Knows no rule.

import type { Line, Place } from './history.js';

export class Operation {
  key: string | undefined;
  /** Of its first attempt. */
  invoked = 0;
  /** Of its first good answer. */
  answered = Infinity;
  ok: Place | undefined;
  okAt = 0;
  /** The line of its last answer. */
  lastAt = 0;
  /** Attempts that may have been carried out although nobody said so. */
  open = 0;

  constructor(
    readonly op: number,
    readonly channel: string,
  ) {}

  /** Every attempt was answered, and each answer says that nothing was done. */
  get refused(): boolean {
    return this.ok === undefined && this.open === 0;
  }
}

export function operationsOf(lines: readonly Line[]): Map<number, Operation> {
  const operations = new Map<number, Operation>();
  for (const { at, entry } of lines) {
    if (entry.k === 'invoke') {
      let operation = operations.get(entry.op);
      if (operation === undefined) {
        operation = new Operation(entry.op, entry.c);
        operation.invoked = entry.t;
        operations.set(entry.op, operation);
      }
      operation.key = entry.key;
      operation.open++;
    } else if (entry.k === 'ok' || entry.k === 'fail' || entry.k === 'unknown') {
      const operation = operations.get(entry.op);
      if (operation === undefined) continue;
      operation.lastAt = at;
      // An attempt that nobody knows about stays open.
      if (entry.k !== 'unknown') operation.open--;
      if (entry.k !== 'ok' || entry.t >= operation.answered) continue;
      operation.answered = entry.t;
      operation.ok = { epoch: entry.epoch, offset: entry.offset, id: entry.id };
      operation.okAt = at;
    }
  }
  return operations;
}
