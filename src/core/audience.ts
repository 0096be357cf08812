// The sessions that listen to one channel: those that are live, by wire format, and those that wait because they are joining or ahead of
// the bus. Each push is encoded once for each format. Knows no log.

import type { GapPush, Push } from '../protocol/frames.js';
import type { GapReason } from '../protocol/publication.js';
import { gapFrame } from './backlog.js';
import type { DroppableFrame, Frame } from './batch.js';
import type { Delivery, PresenceEvent } from './ports/backplane.js';
import type { WireFormat } from './ports/link.js';
import type { CoreStats } from './stats.js';
import type { Subscription } from './subscription.js';

export interface GapRange {
  readonly epoch: string;
  readonly from: number;
  readonly to: number;
  readonly reason: GapReason;
}

interface Group {
  readonly format: WireFormat;
  readonly subscriptions: Subscription[];
}

/** One object for all channels that have none: there may be a hundred thousand of them, most with one listener. */
const NOBODY: ReadonlySet<Subscription> = new Set();
const NO_GROUPS: readonly Group[] = [];

export class Audience {
  /** At most one for each wire format, which are few. */
  private live: readonly Group[] = NO_GROUPS;
  /** Joining, or ahead of the bus because their reply was read from the log. */
  private waitingOnes: Set<Subscription> | undefined;

  constructor(
    private readonly channel: string,
    private readonly stats: CoreStats,
  ) {}

  get size(): number {
    return this.live.reduce((size, { subscriptions }) => size + subscriptions.length, this.waiting.size);
  }

  join(subscription: Subscription): void {
    this.waitingOnes ??= new Set();
    this.waitingOnes.add(subscription);
  }

  /** Safe to call for one that is not there. */
  leave(subscription: Subscription): void {
    this.waitNoMore(subscription);
    if (subscription.index < 0) return;
    const group = this.groupOf(subscription);
    const { subscriptions } = group as Group;
    const last = subscriptions.pop() as Subscription;
    if (last !== subscription) {
      subscriptions[subscription.index] = last;
      last.index = subscription.index;
    }
    subscription.index = -1;
    if (subscriptions.length === 0) this.live = this.live.filter((one) => one !== group);
  }

  /** From here on everything is sent as it comes. */
  promote(subscription: Subscription): void {
    this.waitNoMore(subscription);
    const group = this.groupOf(subscription);
    if (group === undefined) {
      // An empty list that is pushed to makes room for 17 at once: 150 bytes, twice, for each channel with one listener.
      this.live = [...this.live, { format: subscription.listener.format, subscriptions: [subscription] }];
      subscription.index = 0;
      return;
    }
    subscription.index = group.subscriptions.length;
    group.subscriptions.push(subscription);
  }

  deliver({ publication, except }: Delivery, droppable: DroppableFrame): void {
    const frames = new Map<WireFormat, Frame>();
    const push: Push = { type: 'message', channel: this.channel, epoch: droppable.epoch, publication };
    for (const { format, subscriptions } of this.live) {
      const frame = frameOf(format, push, frames, droppable);
      for (const subscription of subscriptions) {
        if (except === undefined || subscription.listener.id !== except) subscription.listener.send(frame);
      }
    }
    for (const subscription of this.waiting) {
      if (except !== undefined && subscription.listener.id === except) continue;
      const frame = frameOf(subscription.listener.format, push, frames, droppable);
      this.offer(subscription, publication.offset, frame);
    }
  }

  /** Somebody listens who wants to know. */
  get wantsPresence(): boolean {
    for (const subscription of this.waiting) if (subscription.wantsPresence) return true;
    return this.live.some(({ subscriptions }) => subscriptions.some(({ wantsPresence }) => wantsPresence));
  }

  /** To all who want to know, but for one that has it already. */
  presence(event: PresenceEvent, except?: Subscription): void {
    const frames = new Map<WireFormat, Frame>();
    const push: Push = { type: event.type, channel: this.channel, member: event.member };
    for (const { format, subscriptions } of this.live) {
      for (const subscription of subscriptions) {
        if (subscription.wantsPresence) subscription.listener.send(frameOf(format, push, frames));
      }
    }
    for (const subscription of this.waiting) {
      const own = event.member.user === subscription.listener.user;
      if (!subscription.wantsPresence || own || subscription === except) continue;
      this.offer(subscription, 0, frameOf(subscription.listener.format, push, frames));
    }
  }

  /** Tells everyone who stands before the end of `gap`. What joins holds it, in case its reply turns out to end before it. */
  tellGap(gap: GapRange): void {
    const { push, frames } = this.tellLive(gap);
    for (const subscription of this.waiting) {
      const frame = frameOf(subscription.listener.format, push, frames);
      if (subscription.joining) subscription.hold(gap.to, frame);
      else if (subscription.offset <= gap.to) this.tellOne(subscription, frame);
    }
  }

  /** The log was replaced: also those are told whose reply went further, since what they were given is void. All are at its end now. */
  restart(gap: GapRange): void {
    for (const subscription of this.waiting) subscription.forget();
    const { push, frames } = this.tellLive(gap);
    for (const subscription of [...this.waiting]) {
      // Who joins hears of it with the reply.
      if (subscription.joining) continue;
      this.tellOne(subscription, frameOf(subscription.listener.format, push, frames));
      subscription.offset = gap.to;
      this.promote(subscription);
    }
  }

  /** To one alone. */
  tellGapTo(subscription: Subscription, gap: GapRange): void {
    const push = gapPush(this.channel, gap);
    this.tellOne(subscription, frameOf(subscription.listener.format, push, new Map()));
  }

  private get waiting(): ReadonlySet<Subscription> {
    return this.waitingOnes ?? NOBODY;
  }

  private waitNoMore(subscription: Subscription): void {
    this.waitingOnes?.delete(subscription);
    if (this.waitingOnes?.size === 0) this.waitingOnes = undefined;
  }

  private groupOf({ listener }: Subscription): Group | undefined {
    return this.live.find(({ format }) => format === listener.format);
  }

  private tellLive(gap: GapRange): { readonly push: GapPush; readonly frames: Map<WireFormat, Frame> } {
    const push = gapPush(this.channel, gap);
    const frames = new Map<WireFormat, Frame>();
    for (const { format, subscriptions } of this.live) {
      this.stats.discontinuities += subscriptions.length;
      for (const subscription of subscriptions) subscription.listener.send(frameOf(format, push, frames));
    }
    return { push, frames };
  }

  private tellOne(subscription: Subscription, frame: Frame): void {
    this.stats.discontinuities++;
    subscription.listener.send(frame);
  }

  private offer(subscription: Subscription, offset: number, frame: Frame): void {
    if (subscription.joining) {
      subscription.hold(offset, frame);
      return;
    }
    if (offset === 0 || offset > subscription.offset) subscription.listener.send(frame);
    if (offset >= subscription.offset) this.promote(subscription);
  }
}

function gapPush(channel: string, { epoch, from, to, reason }: GapRange): GapPush {
  // A log that has begun anew and holds nothing yet ends at 0.
  const count = to === 0 ? 0 : to - from + 1;
  return { type: 'gap', channel, epoch, from, to, count, reason };
}

/** Each wire format in use is asked once. */
function frameOf(
  format: WireFormat,
  push: Push,
  made: Map<WireFormat, Frame>,
  droppable?: DroppableFrame,
): Frame {
  let frame = made.get(format);
  if (frame === undefined) made.set(format, (frame = makeFrame(format, push, droppable)));
  return frame;
}

function makeFrame(format: WireFormat, push: Push, droppable: DroppableFrame | undefined): Frame {
  const bytes = format.push(push);
  if (push.type === 'gap') return gapFrame(push, bytes);
  return { bytes, droppable, mark: droppable?.offset === 0 ? undefined : droppable };
}
