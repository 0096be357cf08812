// What happened in a run, one JSON object a line in the order it happened: publishers, readers, faults. Knows no rule about it.

import { closeSync, openSync, readFileSync, writeSync } from 'node:fs';

/** Where something stands in a channel. */
export interface Place {
  readonly epoch: string;
  readonly offset: number;
  readonly id: string;
}

/** `c`: channel. `op`: one wish to publish, also the payload. `n`: its attempts count from 1. `s`: reader. `t`: ms of one monotonic clock. */
export type Entry =
  | { k: 'invoke'; op: number; n: number; c: string; key?: string; t: number }
  | { k: 'ok'; op: number; n: number; epoch: string; offset: number; id: string; dup: boolean; t: number }
  | { k: 'fail'; op: number; n: number; code: string; t: number }
  /** No answer, or one that says nobody knows. */
  | { k: 'unknown'; op: number; n: number; code: string; t: number }
  /** A reader stands here from now on. `why`: it was told that this does not follow what it saw before. */
  | { k: 'begin'; s: string; c: string; epoch: string; offset: number; why?: string; t: number }
  | { k: 'msg'; s: string; c: string; epoch: string; offset: number; id: string; op: number; t: number }
  /** The reader has left the channel, or is no longer looked at. */
  | { k: 'leave'; s: string; c: string; t: number }
  /** For people only: a connection, a fault, a phase. */
  | { k: 'note'; text: string; t: number }
  /** The store loses something now: writes of the last moments, or everything. */
  | { k: 'lost'; t: number }
  /** What the log held just before the loss `n`. */
  | { k: 'kept'; n: number; c: string; epoch: string; offset: number; id: string; op: number }
  /** At the end: what the log holds, and its newest position. `from`: what is older is kept no longer, by the rules of the channel. */
  | { k: 'log'; c: string; epoch: string; offset: number; id: string; op: number }
  | { k: 'top'; c: string; epoch: string; offset: number; from?: number };

export interface Line {
  /** Counts from 1, as editors do. */
  readonly at: number;
  readonly entry: Entry;
}

/** Bytes kept before a write: one system call for about 600 lines. */
const CHUNK = 65_536;

export class HistoryFile {
  lines = 0;
  private text = '';
  private readonly file: number;

  constructor(readonly path: string) {
    this.file = openSync(path, 'w');
  }

  now(): number {
    return Math.round(performance.now() * 1000) / 1000;
  }

  add(entry: Entry): void {
    this.lines++;
    this.text += `${JSON.stringify(entry)}\n`;
    if (this.text.length >= CHUNK) this.flush();
  }

  note(text: string): void {
    this.add({ k: 'note', text, t: this.now() });
  }

  close(): void {
    this.flush();
    closeSync(this.file);
  }

  private flush(): void {
    if (this.text !== '') writeSync(this.file, this.text);
    this.text = '';
  }
}

export function readHistory(path: string): readonly Line[] {
  return linesOf(
    readFileSync(path, 'utf8')
      .split('\n')
      .filter((text) => text !== '')
      .map((text) => JSON.parse(text) as Entry),
  );
}

export function linesOf(entries: readonly Entry[]): readonly Line[] {
  return entries.map((entry, at) => ({ at: at + 1, entry }));
}
