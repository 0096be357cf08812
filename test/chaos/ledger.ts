// Numbers the wishes of a run and writes down what became of each attempt. Knows no wire.

import type { HistoryFile } from '../checker/history.js';

export interface Outcome {
  readonly kind: 'ok' | 'fail' | 'unknown';
  readonly code: string;
  readonly sentAt: number;
  /** Milliseconds it took. */
  readonly ms: number;
}

/** Numbers operations and attempts, and writes them down. One for all publishers of a run. */
export class Ledger {
  readonly outcomes: Outcome[] = [];
  readonly codes = new Map<string, number>();
  ok = 0;
  /** Of these, answered with the place of an earlier attempt. */
  repeats = 0;
  private lastOp = 0;

  constructor(readonly history: HistoryFile) {}

  nextOp(): number {
    return ++this.lastOp;
  }

  invoke(attempt: Attempt, t = this.history.now()): void {
    const { op, n, channel: c, key } = attempt;
    const entry = { k: 'invoke', op, n, c, t } as const;
    this.history.add(key === undefined ? entry : { ...entry, key });
  }

  /** `answer`: what the server said of its place, or the code of its refusal; undefined when it said nothing. */
  settle({ op, n, sentAt }: Attempt, answer: Answer | string | undefined, t = this.history.now()): Outcome {
    const outcome = { ...verdictOn(answer), sentAt, ms: t - sentAt };
    if (typeof answer === 'object') {
      const { epoch, offset, id, duplicate } = answer;
      this.history.add({ k: 'ok', op, n, epoch, offset, id, dup: duplicate, t });
      this.ok++;
      if (duplicate) this.repeats++;
    } else if (outcome.kind !== 'ok') {
      this.history.add({ k: outcome.kind, op, n, code: outcome.code, t });
      this.codes.set(outcome.code, (this.codes.get(outcome.code) ?? 0) + 1);
    }
    this.outcomes.push(outcome);
    return outcome;
  }
}

export interface Answer {
  readonly epoch: string;
  readonly offset: number;
  readonly id: string;
  readonly duplicate: boolean;
}

export interface Attempt {
  readonly op: number;
  readonly n: number;
  readonly channel: string;
  readonly key: string | undefined;
  readonly sentAt: number;
}

/** `internal` says that the server failed, not where. */
const UNSURE: ReadonlySet<string> = new Set(['unknown_outcome', 'internal']);

function verdictOn(answer: Answer | string | undefined): Pick<Outcome, 'kind' | 'code'> {
  if (answer === undefined) return { kind: 'unknown', code: 'no answer' };
  if (typeof answer === 'object') return { kind: 'ok', code: '' };
  return { kind: UNSURE.has(answer) ? 'unknown' : 'fail', code: answer };
}
