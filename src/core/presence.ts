// Who is in a channel: enters sessions, and lets a leave wait for a return, so that a page reload is not a leave and a join.

import type { Member } from '../protocol/publication.js';
import type { Backplane, PresenceEntry } from './ports/backplane.js';
import type { Clock } from './ports/time.js';
import type { CoreLogger } from './ports/application.js';
import { Shared } from './shared.js';

export interface PresenceContext {
  readonly backplane: Backplane;
  readonly clock: Clock;
  readonly logger: CoreLogger;
  /** Milliseconds. */
  readonly graceMs: number;
}

interface Leaving {
  readonly channel: string;
  readonly entry: PresenceEntry;
  readonly at: number;
}

export class Presence {
  /** In order of time, since the grace is the same for all: one timer serves the first. */
  private readonly leaving = new Map<string, Leaving>();
  /** Leaves that are being stored; one whose session came back meanwhile is not tried again. */
  private readonly storing = new Map<string, Leaving>();
  private timerSet = false;
  private stopped = false;

  private readonly reads = new Shared((channel) => this.context.backplane.members(channel));

  constructor(private readonly context: PresenceContext) {}

  /** Sessions whose leave has not been told yet. */
  get pending(): number {
    return this.leaving.size;
  }

  async enter(channel: string, entry: PresenceEntry): Promise<void> {
    const key = keyOf(channel, entry);
    this.leaving.delete(key);
    this.storing.delete(key);
    await this.context.backplane.enter(channel, entry);
  }

  /** Tells the leave after the grace, unless the user is there by then with this or another session. */
  exit(channel: string, entry: PresenceEntry): void {
    if (this.stopped) return;
    const key = keyOf(channel, entry);
    this.leaving.delete(key);
    this.leaving.set(key, { channel, entry, at: this.context.clock.now() + this.context.graceMs });
    this.arm();
  }

  /** A room of a thousand to which a thousand come back is read a few times, and not by each of them. */
  members(channel: string): Promise<readonly Member[]> {
    return this.reads.get(channel);
  }

  /** Tells all leaves that still wait: this instance goes away. */
  async stop(): Promise<void> {
    this.stopped = true;
    const due = [...this.leaving.values()];
    this.leaving.clear();
    await Promise.allSettled(due.map(({ channel, entry }) => this.context.backplane.exit(channel, entry)));
  }

  private arm(): void {
    const first = this.leaving.values().next().value;
    if (this.timerSet || this.stopped || first === undefined) return;
    this.timerSet = true;
    this.context.clock.after(Math.max(0, first.at - this.context.clock.now()), () => {
      this.timerSet = false;
      this.sweep();
    });
  }

  private sweep(): void {
    const { clock, graceMs } = this.context;
    const now = clock.now();
    for (const [key, item] of this.leaving) {
      // Further ahead than any grace: the clock was set back, and nobody stays for as long.
      if (item.at > now && item.at - now <= graceMs) break;
      this.leaving.delete(key);
      void this.leave(item);
    }
    this.arm();
  }

  private async leave(item: Leaving): Promise<void> {
    const { channel, entry } = item;
    const key = keyOf(channel, entry);
    this.storing.set(key, item);
    try {
      await this.context.backplane.exit(channel, entry);
      if (this.storing.get(key) === item) this.storing.delete(key);
    } catch (error) {
      const wanted = this.storing.get(key) === item && !this.leaving.has(key);
      if (this.storing.get(key) === item) this.storing.delete(key);
      this.context.logger.warn('A leave could not be stored; it is tried again.', {
        channel,
        error: String(error),
      });
      if (wanted) this.exit(channel, entry);
    }
  }
}

function keyOf(channel: string, entry: PresenceEntry): string {
  return `${entry.session}\n${channel}`;
}
