// The order of what a room shows: messages by position, lines where they happened, unsent ones last. Pure; knows no page.

export interface MessageEntry {
  readonly kind: 'message';
  /** Undefined until the server has acknowledged it. */
  id: string | undefined;
  offset: number | undefined;
  /** Grows at each break in the channel's log; offsets are comparable within one era only. */
  era: number;
  status: 'sent' | 'pending' | 'failed';
  time: number;
  readonly user: string;
  readonly name: string;
  readonly text: string;
  readonly own: boolean;
}

export interface LineEntry {
  readonly kind: 'system' | 'gap';
  readonly time: number;
  readonly text: string;
}

export type Entry = MessageEntry | LineEntry;

/** Messages of one person closer than this belong together: five minutes. */
const GROUP_MS = 5 * 60_000;

export class Timeline {
  readonly entries: Entry[] = [];
  era = 0;
  private readonly ids = new Set<string>();

  has(id: string): boolean {
    return this.ids.has(id);
  }

  /** Puts the entry in its place and returns the index. */
  insert(entry: Entry): number {
    if (entry.kind === 'message' && entry.id !== undefined) this.ids.add(entry.id);
    const index = this.placeOf(entry);
    this.entries.splice(index, 0, entry);
    return index;
  }

  /** Returns the index it had, or −1. */
  remove(entry: Entry): number {
    const index = this.entries.indexOf(entry);
    if (index >= 0) this.entries.splice(index, 1);
    if (entry.kind === 'message' && entry.id !== undefined) this.ids.delete(entry.id);
    return index;
  }

  /** The oldest message of one’s own that is not known to have arrived and has this text. */
  unsentWith(text: string): MessageEntry | undefined {
    return this.entries.find(
      (entry): entry is MessageEntry =>
        entry.kind === 'message' && entry.status !== 'sent' && entry.text === text,
    );
  }

  /** True when the entry at the index continues the message before it: same person, same day, little time between. */
  continues(index: number): boolean {
    const entry = this.entries[index];
    const before = this.entries[index - 1];
    if (entry?.kind !== 'message' || before?.kind !== 'message') return false;
    return (
      entry.user === before.user && Math.abs(entry.time - before.time) < GROUP_MS && !this.startsDay(index)
    );
  }

  startsDay(index: number): boolean {
    const entry = this.entries[index];
    const before = this.entries[index - 1];
    if (entry === undefined) return false;
    return (
      before === undefined || new Date(entry.time).toDateString() !== new Date(before.time).toDateString()
    );
  }

  private placeOf(entry: Entry): number {
    const later = this.entries.findIndex((other) => isAfter(other, entry));
    return later < 0 ? this.entries.length : later;
  }
}

/** Positions decide, since the clocks of senders do not agree. The unsent stand last, in the order of their writing. */
function isAfter(other: Entry, entry: Entry): boolean {
  if (other.kind !== 'message') return false;
  const unsent = entry.kind === 'message' && entry.status !== 'sent';
  if (unsent) return other.status !== 'sent' && other.time > entry.time;
  if (other.status !== 'sent') return true;
  if (entry.kind !== 'message' || entry.offset === undefined || other.offset === undefined) return false;
  return other.era === entry.era ? other.offset > entry.offset : other.era > entry.era;
}
