// The notifications of one user in this tab, and which of them were read. Survives a reload. Knows no server and no page.

import type { Position } from 'trunkline-client';
import { readStored, writeStored } from '../stored.js';
import { newerFirst, type Note } from './note.js';

/** As many as the channel keeps. */
const MAX_NOTES = 100;
const KEY = 'trunkline-inbox';

export interface InboxChange {
  /** Came in just now, newest first; empty when only read marks changed or the history was filled in. */
  readonly arrived: readonly Note[];
}

export class Inbox {
  private list: Note[] = [];
  /** Everything up to this time is read: the clock is the server's, as in the notes. */
  private readUpTo = 0;
  /** Read one by one. */
  private readIds = new Set<string>();
  private positionKept: Position | undefined;
  private readonly listeners = new Set<(change: InboxChange) => void>();

  constructor(private readonly user: string) {
    const stored = readStored(KEY);
    // Another person in the same tab begins afresh.
    if (stored['user'] !== user) return;
    if (typeof stored['readUpTo'] === 'number') this.readUpTo = stored['readUpTo'];
    if (Array.isArray(stored['readIds']))
      this.readIds = new Set(stored['readIds'].filter((id): id is string => typeof id === 'string'));
    this.positionKept = positionOf(stored['position']);
  }

  /** Newest first. */
  get notes(): readonly Note[] {
    return this.list;
  }

  get unread(): number {
    return this.list.filter((note) => !this.isRead(note)).length;
  }

  /** Where this tab stood last: what came after it has not been seen here. */
  get position(): Position | undefined {
    return this.positionKept;
  }

  isRead(note: Note): boolean {
    return note.time <= this.readUpTo || this.readIds.has(note.id);
  }

  /** Returns the function that takes the listener away again. */
  onChange(listener: (change: InboxChange) => void): () => void {
    this.listeners.add(listener);
    return () => void this.listeners.delete(listener);
  }

  /** What the server has kept: filled in without being announced. */
  fill(notes: readonly Note[]): void {
    this.insert(notes);
    this.tell([]);
  }

  arrive(notes: readonly Note[], position: Position | undefined): void {
    const fresh = this.insert(notes);
    this.keepPosition(position);
    if (fresh.length > 0) this.tell(fresh);
  }

  keepPosition(position: Position | undefined): void {
    this.positionKept = position;
    this.save();
  }

  markRead(note: Note): void {
    if (this.isRead(note)) return;
    this.readIds.add(note.id);
    this.save();
    this.tell([]);
  }

  markAllRead(): void {
    this.readUpTo = Math.max(this.readUpTo, this.list[0]?.time ?? 0);
    this.readIds.clear();
    this.save();
    this.tell([]);
  }

  private insert(notes: readonly Note[]): readonly Note[] {
    const known = new Set(this.list.map((note) => note.id));
    const fresh = notes.filter((note) => !known.has(note.id)).sort(newerFirst);
    this.list = [...fresh, ...this.list].sort(newerFirst).slice(0, MAX_NOTES);
    return fresh;
  }

  private tell(arrived: readonly Note[]): void {
    for (const listener of this.listeners) listener({ arrived });
  }

  private save(): void {
    const { user, readUpTo, positionKept: position } = this;
    writeStored(KEY, { user, readUpTo, readIds: [...this.readIds].slice(-MAX_NOTES), position });
  }
}

function positionOf(value: unknown): Position | undefined {
  if (typeof value !== 'object' || value === null) return undefined;
  const { epoch, offset, id } = value as Record<'epoch' | 'offset' | 'id', unknown>;
  return typeof epoch === 'string' && typeof offset === 'number' && typeof id === 'string'
    ? { epoch, offset, id }
    : undefined;
}
