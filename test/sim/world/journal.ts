// What happened in one run, in the form the checker reads, and for people the faults and states between. Knows no rule.

import type { Entry } from '../../checker/history.js';
import type { Schedule } from './schedule.js';
import { START_MS } from './schedule.js';

/** Milliseconds between two entries of one moment: which was first stays to be seen. */
const TICK_MS = 0.001;

export class Journal {
  readonly entries: Entry[] = [];
  private at = -1;
  private ticks = 0;

  constructor(private readonly schedule: Schedule) {}

  /** Milliseconds since the begin of the run; grows with each call. */
  now(): number {
    const at = this.schedule.now - START_MS;
    this.ticks = at === this.at ? this.ticks + 1 : 0;
    this.at = at;
    return at + Math.round(this.ticks) * TICK_MS;
  }

  add(entry: Entry): void {
    this.entries.push(entry);
  }

  note(text: string): void {
    this.entries.push({ k: 'note', text, t: this.now() });
  }
}

/** Where one reader stands in its channels, and what it writes down. */
export class Track {
  private readonly positions = new Map<string, { epoch: string; offset: number }>();

  constructor(
    readonly name: string,
    private readonly journal: Journal,
  ) {}

  has(channel: string): boolean {
    return this.positions.has(channel);
  }

  begin(c: string, epoch: string, offset: number, why?: string): void {
    this.positions.set(c, { epoch, offset });
    const entry = { k: 'begin', s: this.name, c, epoch, offset, t: this.journal.now() } as const;
    this.journal.add(why === undefined ? entry : { ...entry, why });
  }

  message(
    c: string,
    { offset, id, data }: { offset?: number; id: string; data: unknown },
    epoch?: string,
  ): void {
    const place = this.positions.get(c);
    if (offset === undefined) return;
    const told = epoch ?? place?.epoch ?? '';
    this.positions.set(c, { epoch: told, offset });
    const t = this.journal.now();
    this.journal.add({ k: 'msg', s: this.name, c, epoch: told, offset, id, op: Number(data), t });
  }

  /** What was left out lies at or before `to`. `at`: where the reader itself says it stands now. */
  gap(c: string, { epoch, to, reason }: { epoch: string; to: number; reason: string }, at?: number): void {
    const place = this.positions.get(c);
    const replaced = reason === 'id_mismatch' || reason === 'ahead';
    const before = place?.epoch === epoch && !replaced ? place.offset : 0;
    this.begin(c, epoch, Math.max(to, at ?? before), reason);
  }

  leave(c: string): void {
    if (!this.positions.delete(c)) return;
    this.journal.add({ k: 'leave', s: this.name, c, t: this.journal.now() });
  }

  leaveAll(): void {
    for (const channel of [...this.positions.keys()]) this.leave(channel);
  }
}
