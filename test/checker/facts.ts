// What the rules look up in a history, gathered in one pass, and the breaches found. Knows no server.

import type { Entry, Line } from './history.js';
import { Operation, operationsOf } from './operations.js';

export interface Rules {
  /** No reader may be told of a discontinuity, or not of these: nothing in the run takes the log away. */
  readonly noGaps?: boolean | ((channel: string, why: string) => boolean);
  /** Redis loses its data in the run: what was acknowledged before may be gone, and one key may then be used again. */
  readonly losesLog?: boolean;
}

export interface Breach {
  /** One of the ten rules, or the name of a promise beside them. */
  readonly rule: string;
  readonly text: string;
  /** Lines of the history it is about. */
  readonly lines: readonly number[];
}

/** Breaches kept. One fault can show in thousands of lines. */
const MOST = 20;

/** What is known of one offset of one epoch of one channel. */
export interface Known {
  readonly id: string;
  readonly op: number;
  readonly at: number;
}

type Top = Extract<Entry, { k: 'top' }>;

/** Everything the rules look up, gathered in one pass. */
export class Facts {
  readonly operations: ReadonlyMap<number, Operation>;
  /** `channel epoch` → offset → who has it. */
  readonly places = new Map<string, Map<number, Known>>();
  readonly tops = new Map<string, Top>();
  readonly breaches: Breach[] = [];
  /** When the store lost something, and in which lines. */
  readonly losses: { readonly t: number; readonly at: number }[] = [];
  /** Operation and epoch → the place it was seen at first. */
  private readonly placeOf = new Map<string, { readonly where: string; readonly at: number }>();

  constructor(
    readonly lines: readonly Line[],
    readonly rules: Rules,
  ) {
    this.operations = operationsOf(lines);
    for (const { at, entry } of lines) {
      if (entry.k === 'lost') this.losses.push({ t: entry.t, at });
      else if (entry.k === 'top') this.tops.set(entry.c, entry);
      else if (entry.k === 'ok') this.place(this.channelOf(entry.op), entry, at);
      else if (entry.k === 'msg' || entry.k === 'log') this.place(entry.c, entry, at);
    }
  }

  breach(rule: string, text: string, ...lines: readonly number[]): void {
    if (this.breaches.length < MOST) this.breaches.push({ rule, text, lines });
  }

  channelOf(op: number): string {
    return this.operations.get(op)?.channel ?? '';
  }

  /** The store lost something at some time from `from` to `to`. */
  lostBetween(from: number, to: number): boolean {
    return this.losses.some(({ t }) => from <= t && t <= to);
  }

  mayGap(channel: string, why: string): boolean {
    const { noGaps = false } = this.rules;
    return !(typeof noGaps === 'function' ? noGaps(channel, why) : noGaps);
  }

  /** Rules 1, 4, 6: an offset belongs to one id, and a publication has one place. */
  private place(channel: string, entry: Extract<Entry, { k: 'ok' | 'msg' | 'log' }>, at: number): void {
    const { epoch, offset, id, op } = entry;
    const where = `${channel} ${epoch}`;
    const offsets = this.places.get(where) ?? new Map<number, Known>();
    this.places.set(where, offsets);
    const known = offsets.get(offset);
    // After a loss offsets are used anew; whether a reader was told of it is another rule.
    const anew = (this.losses[0]?.at ?? Infinity) < at;
    if (known === undefined || anew) offsets.set(offset, { id, op, at });
    else if (known.id !== id || known.op !== op)
      this.breach(
        '6',
        `Offset ${offset} of ${where} is publication ${known.op} and publication ${op}.`,
        known.at,
        at,
      );
    // A key that was lost with the log may be used again in the next epoch.
    const scope = this.rules.losesLog === true ? `${op} ${epoch}` : String(op);
    const before = this.placeOf.get(scope);
    const here = `${where} ${offset} ${id}`;
    if (before === undefined || anew) this.placeOf.set(scope, { where: here, at });
    else if (before.where !== here)
      this.breach('1', `Publication ${op} stands at ${before.where} and at ${here}.`, before.at, at);
  }
}
