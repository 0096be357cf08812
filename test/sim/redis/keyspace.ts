// All keys with their values and ends on the virtual clock. Knows types and time, and no command.

import { replyError } from './errors.js';
import { Stream } from './stream.js';
import type { UndoLog } from './undo.js';

export type Hash = Map<string, string>;
export type SortedSet = Map<string, number>;
type Value = string | Hash | Set<string> | Stream | SortedSet;
type Kind = 'string' | 'hash' | 'set' | 'zset' | 'stream';

interface Entry {
  readonly kind: Kind;
  readonly value: Value;
  /** The last millisecond in which the key is there. */
  until: number;
}

export class Keyspace {
  private entries = new Map<string, Entry>();
  /** Stands still within a command and a script, as in Redis. */
  private at = 0;

  constructor(readonly undo: UndoLog) {}

  /** Milliseconds since 1970. */
  get now(): number {
    return this.at;
  }

  begin(now: number): void {
    this.at = now;
  }

  has(key: string): boolean {
    return this.find(key) !== undefined;
  }

  string(key: string): string | undefined {
    return this.read(key, 'string') as string | undefined;
  }

  hash(key: string): Hash | undefined {
    return this.read(key, 'hash') as Hash | undefined;
  }

  set(key: string): Set<string> | undefined {
    return this.read(key, 'set') as Set<string> | undefined;
  }

  sortedSet(key: string): SortedSet | undefined {
    return this.read(key, 'zset') as SortedSet | undefined;
  }

  stream(key: string): Stream | undefined {
    return this.read(key, 'stream') as Stream | undefined;
  }

  madeHash(key: string): Hash {
    return this.hash(key) ?? (this.put(key, 'hash', new Map<string, string>()) as Hash);
  }

  madeSet(key: string): Set<string> {
    return this.set(key) ?? (this.put(key, 'set', new Set<string>()) as Set<string>);
  }

  madeSortedSet(key: string): SortedSet {
    return this.sortedSet(key) ?? (this.put(key, 'zset', new Map<string, number>()) as SortedSet);
  }

  madeStream(key: string): Stream {
    return this.stream(key) ?? (this.put(key, 'stream', new Stream()) as Stream);
  }

  /** Over whatever is there, its end included. */
  putString(key: string, value: string, until = Infinity): void {
    this.remove(key);
    this.put(key, 'string', value, until);
  }

  remove(key: string): boolean {
    const entry = this.find(key);
    if (entry === undefined) return false;
    const { entries } = this;
    entries.delete(key);
    this.undo.note(() => entries.set(key, entry));
    return true;
  }

  /** Infinity when it has none; undefined when there is no such key. */
  until(key: string): number | undefined {
    return this.find(key)?.until;
  }

  /** An end that is not ahead is one now. False when there is no such key. */
  endAt(key: string, until: number): boolean {
    const entry = this.find(key);
    if (entry === undefined) return false;
    if (until <= this.at) return this.remove(key);
    const before = entry.until;
    entry.until = until;
    this.undo.note(() => (entry.until = before));
    return true;
  }

  /** What is over counts as not there. */
  keys(): string[] {
    return [...this.entries].filter(([, { until }]) => until >= this.at).map(([key]) => key);
  }

  clear(): void {
    const { entries } = this;
    if (entries.size === 0) return;
    this.entries = new Map();
    this.undo.note(() => (this.entries = entries));
  }

  private find(key: string): Entry | undefined {
    const entry = this.entries.get(key);
    if (entry === undefined || entry.until >= this.at) return entry;
    const { entries } = this;
    entries.delete(key);
    // A write before it may have made its end come sooner.
    this.undo.noteAside(() => entries.set(key, entry));
    return undefined;
  }

  private read(key: string, kind: Kind): Value | undefined {
    const entry = this.find(key);
    if (entry === undefined) return undefined;
    if (entry.kind !== kind)
      throw replyError('WRONGTYPE Operation against a key holding the wrong kind of value');
    return entry.value;
  }

  private put(key: string, kind: Kind, value: Value, until = Infinity): Value {
    const { entries } = this;
    entries.set(key, { kind, value, until });
    this.undo.note(() => entries.delete(key));
    return value;
  }
}
