// Who is in which channel: one entry per session, from which members, joins and leaves follow. Knows no time and no bus.

import type { Member } from '../../protocol/publication.js';
import type { PresenceEntry, PresenceEvent } from '../../core/ports/backplane.js';

export interface PresenceChange {
  readonly channel: string;
  readonly event: PresenceEvent;
}

interface Owned {
  readonly entry: PresenceEntry;
  /** The node that entered it, and whose end ends it. */
  readonly owner: object;
}

interface Room {
  readonly sessions: Map<string, Owned>;
  /** Sessions of each user. */
  readonly users: Map<string, number>;
}

/** Bounded by the live sessions: an entry ends with its session, or with its node. */
export class MemoryPresence {
  private readonly rooms = new Map<string, Room>();

  get channels(): number {
    return this.rooms.size;
  }

  /** What has to be told, in this order. */
  enter(channel: string, entry: PresenceEntry, owner: object): readonly PresenceChange[] {
    const before = this.rooms.get(channel)?.sessions.get(entry.session);
    const left =
      before === undefined || before.entry.user === entry.user ? [] : this.exit(channel, entry.session);
    let room = this.rooms.get(channel);
    if (room === undefined) this.rooms.set(channel, (room = { sessions: new Map(), users: new Map() }));
    const isNew = !room.sessions.has(entry.session);
    room.sessions.set(entry.session, { entry, owner });
    if (!isNew) return left;
    const sessions = room.users.get(entry.user) ?? 0;
    room.users.set(entry.user, sessions + 1);
    return sessions > 0 ? left : [...left, change('join', channel, entry)];
  }

  exit(channel: string, session: string): readonly PresenceChange[] {
    const room = this.rooms.get(channel);
    const owned = room?.sessions.get(session);
    if (room === undefined || owned === undefined) return [];
    const { user } = owned.entry;
    room.sessions.delete(session);
    if (room.sessions.size === 0) this.rooms.delete(channel);
    const sessions = (room.users.get(user) ?? 1) - 1;
    if (sessions > 0) room.users.set(user, sessions);
    else room.users.delete(user);
    return sessions > 0 ? [] : [change('leave', channel, owned.entry)];
  }

  /** Ends all that a node entered. */
  exitAll(owner: object): readonly PresenceChange[] {
    const changes: PresenceChange[] = [];
    for (const [channel, room] of [...this.rooms]) {
      for (const [session, owned] of [...room.sessions]) {
        if (owned.owner === owner) changes.push(...this.exit(channel, session));
      }
    }
    return changes;
  }

  /** One member per user, the first to come first. */
  members(channel: string): readonly Member[] {
    const members = new Map<string, Member>();
    for (const { entry } of this.rooms.get(channel)?.sessions.values() ?? []) {
      const { user, name, since } = entry;
      const known = members.get(user);
      const connections = (known?.connections ?? 0) + 1;
      if (known === undefined || since < known.since) members.set(user, { user, name, connections, since });
      else members.set(user, { ...known, connections });
    }
    return [...members.values()].sort(bySinceThenUser);
  }

  clear(): void {
    this.rooms.clear();
  }
}

function change(
  type: 'join' | 'leave',
  channel: string,
  { user, name, since }: PresenceEntry,
): PresenceChange {
  return { channel, event: { type, member: { user, name, connections: type === 'join' ? 1 : 0, since } } };
}

function bySinceThenUser(a: Member, b: Member): number {
  if (a.since !== b.since) return a.since - b.since;
  return a.user < b.user ? -1 : 1;
}
