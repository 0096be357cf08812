// A presence entry as it is kept in Redis, and the members that follow from the entries of a channel. Pure; knows no command.

import type { PresenceEntry } from '../../core/ports/backplane.js';
import type { Member } from '../../protocol/publication.js';

/** User, name, since, and the node that entered it and whose end ends it. */
interface Stored {
  readonly u: string;
  readonly n?: string;
  readonly s: number;
  readonly x: string;
}

export function storedOf({ user, name, since }: PresenceEntry, node: string): string {
  const u = wellFormed(user);
  return JSON.stringify({ u, n: name === undefined ? undefined : wellFormed(name), s: since, x: node });
}

/** Half of a surrogate pair has no UTF-8: Redis would name the user otherwise than the JSON, which its Lua refuses to read. */
export function wellFormed(text: string): string {
  return text.replace(/\p{Surrogate}/gu, '\u{fffd}');
}

/** Members: one per user, the first to come first. Lives: those of the nodes that entered them. */
export function readEntries(entries: readonly string[]): {
  readonly members: readonly Member[];
  readonly lives: ReadonlySet<string>;
} {
  const members = new Map<string, Member>();
  const lives = new Set<string>();
  for (const text of entries) {
    const { u: user, n: name, s: since, x: life } = JSON.parse(text) as Stored;
    lives.add(life);
    const known = members.get(user);
    const connections = (known?.connections ?? 0) + 1;
    if (known === undefined || since < known.since) members.set(user, { user, name, connections, since });
    else members.set(user, { ...known, connections });
  }
  return { members: [...members.values()].sort(bySinceThenUser), lives };
}

function bySinceThenUser(a: Member, b: Member): number {
  if (a.since !== b.since) return a.since - b.since;
  return a.user < b.user ? -1 : 1;
}
