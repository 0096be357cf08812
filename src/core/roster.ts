// Who is present in one channel as its listeners here were told, so that what the bus lost can be told later. Knows no bus and no session.

import type { PresenceEvent } from './ports/backplane.js';
import type { Member } from '../protocol/publication.js';

/** What came while a list was read. */
export type RosterRead = PresenceEvent[];

export class Roster {
  /** Undefined until a list was read for the first time. */
  private present: Map<string, Member> | undefined;
  private readonly reads = new Set<RosterRead>();

  /** False when it is no news. */
  apply(event: PresenceEvent): boolean {
    for (const read of this.reads) read.push(event);
    return this.present === undefined || change(this.present, event);
  }

  /** A list is about to be read. Ends with `settle` or `abandon`. */
  begin(): RosterRead {
    const read: RosterRead = [];
    this.reads.add(read);
    return read;
  }

  abandon(read: RosterRead): void {
    this.reads.delete(read);
  }

  /** What `members` says and was not told: leaves first. Each event says how it is after it, so those that the list knows already do no harm. */
  settle(read: RosterRead, members: readonly Member[]): readonly PresenceEvent[] {
    this.reads.delete(read);
    const now = new Map(members.map((member) => [member.user, member]));
    for (const event of read) change(now, event);
    const before = this.present ?? now;
    this.present = now;
    const gone = [...before.values()].filter(({ user }) => !now.has(user));
    const come = [...now.values()].filter(({ user }) => !before.has(user));
    return [
      ...gone.map((member): PresenceEvent => ({ type: 'leave', member: { ...member, connections: 0 } })),
      ...come.map((member): PresenceEvent => ({ type: 'join', member })),
    ];
  }
}

function change(present: Map<string, Member>, { type, member }: PresenceEvent): boolean {
  if (type === 'leave') return present.delete(member.user);
  if (present.has(member.user)) return false;
  present.set(member.user, member);
  return true;
}
