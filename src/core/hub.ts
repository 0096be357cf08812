// The sessions of this instance and the channels they listen to. It hears the backplane and hands on; it knows no transport.

import type {
  BackplaneListener,
  ControlMessage,
  Delivery,
  PresenceEvent,
  Question,
} from './ports/backplane.js';
import { Feed, type FeedContext } from './feed.js';
import type { ChannelPolicy } from './policy.js';
import type { Session } from './session.js';
import type { Subscription } from './subscription.js';

export interface HubContext extends FeedContext {
  /** Milliseconds between position checks. */
  readonly positionCheckMs: number;
  /** Milliseconds an unused channel stays subscribed. */
  readonly feedLingerMs: number;
}

/** Channels compared with the log in one question. */
const CHECK_BATCH = 512;
/** Member lists read at a time after the bus was away; one may have thousands of entries. */
const PRESENCE_BATCH = 32;
/**
 * A channel that was heard so lately is left to the next check: its log is ahead of the bus all the time, which is no loss. What was
 * lost right after is found one period and this time later.
 */
const JUST_HEARD_MS = 500;

interface FeedSlot {
  readonly feed: Feed;
  /** Set while nobody listens: ends the linger. */
  cancelLinger: (() => void) | undefined;
  /** The backplane is being left; a newcomer waits for it. */
  leaving: Promise<void> | undefined;
}

export class Hub implements BackplaneListener {
  private readonly sessions = new Map<string, Session>();
  private readonly users = new Map<string, Set<Session>>();
  private readonly slots = new Map<string, FeedSlot>();
  private stopped = false;
  private readonly suspected = new Set<Feed>();
  private checking = false;
  /** Channels whose listeners may have missed who came or went. */
  private readonly doubtful = new Set<Feed>();
  private rechecking = false;
  onControlMessage: (message: ControlMessage) => void = () => {};
  onQuestion: (question: Question) => unknown = () => undefined;
  onRevocations: BackplaneListener['onRevocations'] = () => {};

  constructor(private readonly context: HubContext) {
    this.scheduleCheck();
  }

  get sessionCount(): number {
    return this.sessions.size;
  }

  get userCount(): number {
    return this.users.size;
  }

  get channelCount(): number {
    return this.slots.size;
  }

  all(): IterableIterator<Session> {
    return this.sessions.values();
  }

  session(id: string): Session | undefined {
    return this.sessions.get(id);
  }

  ofUser(user: string): readonly Session[] {
    return [...(this.users.get(user) ?? [])];
  }

  countOfUser(user: string): number {
    return this.users.get(user)?.size ?? 0;
  }

  /** Channels with listeners on this instance, with how many. */
  channels(): readonly { readonly channel: string; readonly subscribers: number }[] {
    return [...this.slots.values()]
      .map(({ feed }) => ({ channel: feed.channel, subscribers: feed.size }))
      .filter(({ subscribers }) => subscribers > 0);
  }

  add(session: Session): void {
    this.sessions.set(session.id, session);
    if (session.user !== undefined) this.index(session.user, session);
  }

  /** The session has become `user`, or another one. */
  reindex(session: Session, before: string | undefined): void {
    if (before === session.user || !this.sessions.has(session.id)) return;
    if (before !== undefined) this.unindex(before, session);
    if (session.user !== undefined) this.index(session.user, session);
  }

  remove(session: Session): void {
    if (!this.sessions.delete(session.id)) return;
    if (session.user !== undefined) this.unindex(session.user, session);
  }

  /** The feed with the subscription waiting in it. Call `leave` for each subscription, however it ends. */
  join(policy: ChannelPolicy, subscription: Subscription): { feed: Feed; ready: Promise<void> } {
    const { channel } = subscription;
    let slot = this.slots.get(channel);
    if (slot === undefined) {
      slot = { feed: new Feed(channel, policy, this.context), cancelLinger: undefined, leaving: undefined };
      this.slots.set(channel, slot);
    }
    slot.cancelLinger?.();
    slot.cancelLinger = undefined;
    slot.feed.join(subscription);
    return { feed: slot.feed, ready: slot.feed.ready(slot.leaving) };
  }

  leave(subscription: Subscription): void {
    const slot = this.slots.get(subscription.channel);
    if (slot === undefined) return;
    slot.feed.leave(subscription);
    if (slot.feed.size > 0 || slot.cancelLinger !== undefined || this.stopped) return;
    slot.cancelLinger = this.context.clock.after(this.context.feedLingerMs, () => {
      slot.cancelLinger = undefined;
      this.release(slot);
    });
  }

  onPublication(channel: string, epoch: string, delivery: Delivery): void {
    this.slots.get(channel)?.feed.receive(epoch, delivery);
  }

  onPresence(channel: string, event: PresenceEvent): void {
    this.slots.get(channel)?.feed.presence(event);
  }

  onControl(message: ControlMessage): void {
    this.onControlMessage(message);
  }

  answer(question: Question): unknown {
    return this.onQuestion(question);
  }

  onSuspect(channels: readonly string[] | 'all'): void {
    const slots =
      channels === 'all' ? this.slots.values() : channels.map((channel) => this.slots.get(channel));
    for (const slot of slots) {
      if (slot?.feed.open === true && slot.feed.keepsLog) this.suspected.add(slot.feed);
      if (slot?.feed.showsPresence === true) this.doubtful.add(slot.feed);
    }
    void this.recheckPresence();
    if (this.checking) return;
    this.checking = true;
    void this.checkSuspected().finally(() => (this.checking = false));
  }

  /** A hundred thousand channels may be in doubt at once: compared in batches, and only what differs is read. */
  private async checkSuspected(): Promise<void> {
    while (this.suspected.size > 0 && !this.stopped) {
      const batch = [...this.suspected].slice(0, CHECK_BATCH);
      for (const feed of batch) this.suspected.delete(feed);
      // Whatever could not be asked is asked with the next position check.
      if (!(await this.compare(batch))) for (const feed of batch) feed.heardAt = -Infinity;
    }
  }

  /** Joins and leaves that the bus lost are told. A question that is not answered is asked again with the next position check. */
  private async recheckPresence(): Promise<void> {
    if (this.rechecking) return;
    this.rechecking = true;
    while (this.doubtful.size > 0 && !this.stopped) {
      const batch = [...this.doubtful].slice(0, PRESENCE_BATCH);
      for (const feed of batch) this.doubtful.delete(feed);
      const asked = batch.filter(({ showsPresence }) => showsPresence);
      const answers = await Promise.allSettled(asked.map((feed) => feed.members()));
      const failed = asked.filter((_, at) => answers[at]?.status === 'rejected');
      for (const feed of failed) this.doubtful.add(feed);
      if (failed.length > 0) break;
    }
    this.rechecking = false;
  }

  stop(): void {
    this.stopped = true;
    for (const slot of this.slots.values()) slot.cancelLinger?.();
  }

  private index(user: string, session: Session): void {
    let set = this.users.get(user);
    if (set === undefined) this.users.set(user, (set = new Set()));
    set.add(session);
  }

  private unindex(user: string, session: Session): void {
    const set = this.users.get(user);
    set?.delete(session);
    if (set?.size === 0) this.users.delete(user);
  }

  /** Leaves the bus, unless somebody came meanwhile. A newcomer during the leaving waits for its end, then subscribes afresh. */
  private release(slot: FeedSlot): void {
    const { feed } = slot;
    if (feed.size > 0 || slot.leaving !== undefined) return;
    slot.leaving = this.leaveBus(feed)
      .catch((error: unknown) => {
        this.context.logger.warn('A channel could not be left on the backplane.', {
          channel: feed.channel,
          error: String(error),
        });
      })
      .then(() => {
        slot.leaving = undefined;
        if (feed.size > 0 || slot.cancelLinger !== undefined) return;
        // A newcomer may have asked for the bus and gone again meanwhile.
        if (feed.active) this.release(slot);
        else this.slots.delete(feed.channel);
      });
  }

  private async leaveBus(feed: Feed): Promise<void> {
    await feed.settled();
    if (feed.size > 0) return;
    feed.close();
    await this.context.backplane.unsubscribe(feed.channel);
  }

  private scheduleCheck(): void {
    this.context.clock.after(this.context.positionCheckMs, () => {
      if (this.stopped) return;
      void this.recheckPresence();
      void this.checkPositions().finally(() => this.scheduleCheck());
    });
  }

  /** The last message of a channel may be lost on the bus with nothing after it to show the hole; this finds it. */
  private async checkPositions(): Promise<void> {
    const now = this.context.clock.now();
    // Heard in time to come: the clock was set back.
    const isQuiet = ({ heardAt }: Feed): boolean => heardAt <= now - JUST_HEARD_MS || heardAt > now;
    const idle = [...this.slots.values()]
      .map(({ feed }) => feed)
      .filter((feed) => feed.open && feed.keepsLog && isQuiet(feed));
    for (let at = 0; at < idle.length && !this.stopped; at += CHECK_BATCH) {
      if (!(await this.compare(idle.slice(at, at + CHECK_BATCH)))) return;
    }
  }

  /** False when the log did not answer. */
  private async compare(feeds: readonly Feed[]): Promise<boolean> {
    const known = feeds.map((feed) => feed.position);
    try {
      const tops = await this.context.backplane.tops(feeds.map((feed) => feed.channel));
      feeds.forEach((feed, i) => {
        const top = tops[i];
        const before = known[i];
        if (top !== undefined && before !== undefined) feed.observe(top, before);
      });
      return true;
    } catch (error) {
      this.context.logger.debug('A position check was not answered.', { error: String(error) });
      return false;
    }
  }
}
