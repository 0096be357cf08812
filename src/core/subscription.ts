// One session in one channel: where it stands, and what is held for it while its subscribe reply is not out.

import type { Frame } from './batch.js';
import type { WireFormat } from './ports/link.js';

/** A session as a feed sees it. */
export interface Listener {
  readonly id: string;
  readonly user: string | undefined;
  readonly format: WireFormat;
  send(frame: Frame): void;
}

/** Frames held for one joining session; more is a failed subscribe, told `unavailable`, never a silent loss. */
export const JOIN_BUFFER = 4096;

interface Held {
  /** 0 for what has no offset. */
  readonly offset: number;
  readonly frame: Frame;
}

export class Subscription {
  /** Place in the feed's list of live subscriptions, −1 while not live. Owned by the feed. */
  index = -1;
  /** The reply covers the log up to here; live publications up to here are not for this session. */
  offset = 0;
  overflowed = false;
  private held: Held[] | undefined = [];

  constructor(
    readonly listener: Listener,
    readonly channel: string,
    /** Wants the members in the reply, and joins and leaves afterwards. */
    public wantsPresence: boolean,
    /** The server joined the session: policy was not asked, and is not asked again. */
    readonly byServer: boolean,
  ) {}

  get joining(): boolean {
    return this.held !== undefined;
  }

  hold(offset: number, frame: Frame): void {
    if (this.held === undefined) return;
    if (this.held.length >= JOIN_BUFFER) this.overflowed = true;
    else this.held.push({ offset, frame });
  }

  /** The log was replaced while this session was joining: what was held belongs to the old one. */
  forget(): void {
    if (this.held !== undefined) this.held = this.held.filter((item) => item.offset === 0);
  }

  /** Sends what was held and is not covered by the reply. Call right after the reply, in the same step. */
  release(): void {
    const held = this.held ?? [];
    this.held = undefined;
    for (const { offset, frame } of held) if (offset === 0 || offset > this.offset) this.listener.send(frame);
  }
}
