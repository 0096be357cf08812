// One channel on this instance: its position, the sessions that listen, and the check that nothing is missed between them.
// Pub/sub is a wake-up, the log is the truth: holes are filled from the log before anything later is delivered.

import type { Position } from '../protocol/position.js';
import type { GapReason, Member, Publication } from '../protocol/publication.js';
import { Audience } from './audience.js';
import type { DroppableFrame } from './batch.js';
import type { ChannelPolicy } from './policy.js';
import type { Backplane, Delivery, LogSlice, PresenceEvent, ReadOptions } from './ports/backplane.js';
import type { CoreLogger } from './ports/application.js';
import type { Clock } from './ports/time.js';
import type { CoreStats } from './stats.js';
import type { Subscription } from './subscription.js';
import { Roster } from './roster.js';
import { Tail, type Tails } from './tail.js';

export interface FeedContext {
  readonly backplane: Backplane;
  readonly stats: CoreStats;
  readonly logger: CoreLogger;
  readonly clock: Clock;
  readonly tails: Tails;
  /** Who is present in a channel. */
  readonly members: (channel: string) => Promise<readonly Member[]>;
}

/** Epoch shown for channels without history: positions mean nothing there. */
export const NO_EPOCH = 'none';
/** Live publications held while a hole is being filled. More: they are dropped here and read from the log afterwards. */
const HELD_LIMIT = 4096;
/** Publications asked from the log in one step of a repair. */
const REPAIR_STEP = 500;

interface Held {
  readonly epoch: string;
  readonly delivery: Delivery;
}

export class Feed {
  position: Position = { epoch: NO_EPOCH, offset: 0, id: '' };
  /** By the clock: when something with a place in the log last came, in milliseconds. */
  heardAt = -Infinity;
  /** Grows when the log was replaced under us: what was read before says nothing about it. */
  generation = 0;
  private opened = false;
  private opening: Promise<void> | undefined;
  /** The repair under way; another object, or none, when that one is out of date. */
  private repairing: object | undefined;
  private restartReason: GapReason = 'epoch_changed';
  /** Undefined while nothing is held. */
  private held: Held[] | undefined;
  private readonly audience: Audience;
  /** Undefined while nobody here wants to know who is present. */
  private roster: Roster | undefined;
  /** Made with the first publication. */
  private tail: Tail | undefined;
  /** A read for somebody who comes back; the next ones wait for it, since it may do for them too. */
  private asking: Promise<LogSlice> | undefined;

  constructor(
    readonly channel: string,
    readonly policy: ChannelPolicy,
    private readonly context: FeedContext,
  ) {
    this.audience = new Audience(channel, context.stats);
  }

  get size(): number {
    return this.audience.size;
  }

  get open(): boolean {
    return this.opened;
  }

  /** On the bus, or on its way there. */
  get active(): boolean {
    return this.opened || this.opening !== undefined;
  }

  get keepsLog(): boolean {
    return this.policy.history !== undefined;
  }

  /** Resolves when the bus is listened to and the position is known. `before` is the end of an earlier unsubscribe, if any. */
  ready(before: Promise<void> | undefined): Promise<void> {
    if (this.opened) return RESOLVED;
    this.opening ??= this.start(before).finally(() => (this.opening = undefined));
    return this.opening;
  }

  /** Resolves when no opening is under way, whether it succeeded or not. */
  async settled(): Promise<void> {
    await this.opening?.catch(() => {});
  }

  join(subscription: Subscription): void {
    this.audience.join(subscription);
  }

  /** The reply is out, in this very step: send what was held, then live. `generation` is the one the reply speaks of. */
  activate(subscription: Subscription, generation: number): void {
    if (generation !== this.generation) {
      // The log was replaced between the reply's making and its sending.
      const { epoch, offset } = this.position;
      const reason = this.restartReason;
      this.audience.tellGapTo(subscription, { epoch, from: Math.min(1, offset), to: offset, reason });
      subscription.offset = offset;
    }
    subscription.release();
    if (subscription.offset <= this.position.offset) this.audience.promote(subscription);
  }

  leave(subscription: Subscription): void {
    this.audience.leave(subscription);
    if (subscription.wantsPresence && !this.audience.wantsPresence) this.roster = undefined;
  }

  /** What a reader at `since` has missed, from memory; undefined when the log must be asked. */
  recall(since: Position): LogSlice | undefined {
    if (!this.opened || !this.keepsLog) return undefined;
    const { position } = this;
    // Only a position with its id is proof; without one the log is asked.
    const proven = since.id === '' || since.id === position.id;
    if (since.epoch === position.epoch && since.offset === position.offset && proven)
      return { top: position, idAtAfter: position.id || undefined, publications: [] };
    return this.fresh ? this.tail?.after(since, position) : undefined;
  }

  /** The last value, from memory. */
  get newest(): Publication | undefined {
    return this.opened && this.fresh ? this.tail?.last(this.position.offset) : undefined;
  }

  /**
   * As `recall`, and from the log where memory does not reach. Those who come at one time wait for one question; whoever that
   * does not help asks for himself, so nobody waits for more than two. Rejects as the log does.
   */
  async missed(since: Position, question: ReadOptions): Promise<LogSlice> {
    const waitedFor = this.asking;
    // When the log does not answer it does not answer anybody.
    if (waitedFor !== undefined) await waitedFor;
    const known = this.recall(since);
    if (known !== undefined) return known;
    const asking = this.ask(since, question);
    this.asking ??= asking;
    try {
      return await asking;
    } finally {
      if (this.asking === asking) this.asking = undefined;
    }
  }

  /** From the bus. Never throws. */
  receive(epoch: string, delivery: Delivery): void {
    const { offset } = delivery.publication;
    // It has no place, so it proves nothing of those that have one.
    if (offset === 0 || !this.keepsLog) {
      this.deliver(delivery);
      return;
    }
    this.heardAt = this.context.clock.now();
    if (!this.opened || this.repairing !== undefined) {
      this.held ??= [];
      if (this.held.length < HELD_LIMIT) this.held.push({ epoch, delivery });
      return;
    }
    if (this.isNext(epoch, delivery)) this.advance(epoch, delivery);
    else if (this.isRepeat(epoch, delivery)) this.context.stats.busDuplicates++;
    else this.repair();
  }

  presence(event: PresenceEvent): void {
    if (this.roster?.apply(event) !== false) this.audience.presence(event);
  }

  /** Who is present, for somebody who joins. What others here were not told, because the bus had lost it, they are told now. */
  async members(newcomer?: Subscription): Promise<readonly Member[]> {
    this.roster ??= new Roster();
    const { roster } = this;
    const read = roster.begin();
    try {
      const members = await this.context.members(this.channel);
      for (const event of roster.settle(read, members)) this.audience.presence(event, newcomer);
      return members;
    } catch (error) {
      roster.abandon(read);
      throw error;
    }
  }

  /** Somebody here was told who is present. */
  get showsPresence(): boolean {
    return this.opened && this.roster !== undefined;
  }

  /**
   * The log said that its newest position is `top`. `known` is our position when the question was asked: a top below it
   * means that the log lost what it had.
   */
  observe(top: Position, known: Position): void {
    if (!this.opened || this.repairing !== undefined) return;
    const same = top.epoch === this.position.epoch;
    if (
      same &&
      top.offset === this.position.offset &&
      (top.id === this.position.id || this.position.id === '')
    )
      return;
    if (!same || top.offset < known.offset || (top.offset === known.offset && top.id !== known.id)) {
      if (known.epoch !== this.position.epoch || known.offset !== this.position.offset) return;
      this.restart(top, same ? 'id_mismatch' : 'epoch_changed');
    } else if (top.offset > this.position.offset) {
      this.repair();
    }
  }

  /** Nobody listens any more and the bus is left: what comes later is not ours. */
  close(): void {
    this.opened = false;
    this.held = undefined;
    this.tail?.clear();
    this.repairing = undefined;
  }

  private async start(before: Promise<void> | undefined): Promise<void> {
    await before;
    await this.context.backplane.subscribe(this.channel);
    if (this.keepsLog) {
      const [top] = await this.context.backplane.tops([this.channel]);
      if (top !== undefined) this.position = top;
    }
    this.opened = true;
    this.replayHeld();
  }

  /** What the log has covered meanwhile is no news, whatever its id: the log is the truth. */
  private replayHeld(): void {
    const held = this.held ?? [];
    this.held = undefined;
    for (const { epoch, delivery } of held) {
      const covered = epoch === this.position.epoch && delivery.publication.offset <= this.position.offset;
      if (covered) this.context.stats.busDuplicates++;
      else this.receive(epoch, delivery);
    }
  }

  private isNext(epoch: string, { publication, previous }: Delivery): boolean {
    const { position } = this;
    if (epoch !== position.epoch || publication.offset !== position.offset + 1) return false;
    return previous === undefined || position.id === '' || previous === position.id;
  }

  /** An older offset, or the present one with another id, means that offsets are used anew: the log must say. */
  private isRepeat(epoch: string, { publication }: Delivery): boolean {
    const { position } = this;
    return (
      epoch === position.epoch && publication.offset === position.offset && publication.id === position.id
    );
  }

  private advance(epoch: string, delivery: Delivery): void {
    const { publication } = delivery;
    this.tailed.add(this.position, publication, this.context.clock.now());
    this.position = { epoch, offset: publication.offset, id: publication.id };
    this.deliver(delivery);
  }

  private deliver(delivery: Delivery): void {
    const { offset, id, key } = delivery.publication;
    const { channel, policy } = this;
    const { epoch } = this.position;
    const droppable: DroppableFrame = { channel, epoch, offset, id, key, overflow: policy.overflow };
    this.audience.deliver(delivery, droppable);
  }

  private get tailed(): Tail {
    this.tail ??= new Tail(this.context.tails, this.policy.history?.size ?? 0);
    return this.tail;
  }

  /**
   * The log forgets all of a channel some time after its last publication; so does its copy. The clock of the instance that took it may
   * be ahead, and the one here may have been set back.
   */
  private get fresh(): boolean {
    const { tail } = this;
    const last = tail?.last(this.position.offset);
    if (tail === undefined || last === undefined) return false;
    const age = this.context.clock.now() - Math.min(last.time, tail.grownAt);
    return age >= 0 && age < (this.policy.history?.ttlMs ?? 0);
  }

  private async ask(since: Position, question: ReadOptions): Promise<LogSlice> {
    const { generation, position: known } = this;
    const slice = await this.context.backplane.read(this.channel, question);
    this.observe(slice.top, known);
    const { epoch, offset, id } = this.position;
    const agrees = slice.top.epoch === epoch && slice.top.offset === offset && slice.top.id === id;
    if (this.opened && generation === this.generation && agrees)
      this.tailed.seed(since, slice, this.context.clock.now());
    return slice;
  }

  private repair(): void {
    if (this.repairing !== undefined) return;
    const repair = {};
    this.repairing = repair;
    this.catchUp(repair)
      .catch((error: unknown) => {
        if (this.repairing !== repair) return;
        // What was held is in the log. The next publication, position check or reconnect reads it; nothing later is delivered before.
        this.held = undefined;
        this.heardAt = -Infinity;
        this.context.logger.warn('A channel could not be repaired from its log.', {
          channel: this.channel,
          error: String(error),
        });
      })
      .finally(() => {
        if (this.repairing !== repair) return;
        this.repairing = undefined;
        this.replayHeld();
      });
  }

  /** Reads from the log until its top is reached. What cannot be read is told as a gap. */
  private async catchUp(repair: object): Promise<void> {
    for (;;) {
      const asked = this.position;
      const slice = await this.context.backplane.read(this.channel, {
        after: asked.offset,
        limit: REPAIR_STEP,
        reverse: false,
      });
      if (this.repairing !== repair) return;
      const { top, publications, idAtAfter } = slice;
      if (top.epoch !== asked.epoch) return this.restart(top, 'epoch_changed');
      const replaced = idAtAfter !== undefined && asked.id !== '' && idAtAfter !== asked.id;
      if (top.offset < asked.offset || replaced) return this.restart(top, 'id_mismatch');
      if (top.offset === asked.offset) return;
      const first = publications[0];
      if (first === undefined) return this.restart(top, 'expired');
      if (first.offset > asked.offset + 1) this.passOver(asked.offset + 1, first.offset - 1, 'expired');
      for (const publication of publications) {
        this.context.stats.repaired++;
        this.advance(top.epoch, { publication, except: undefined, previous: undefined });
      }
    }
  }

  /** The log jumped: tell everyone what they cannot have, and go on from `top`. */
  private restart(top: Position, reason: GapReason): void {
    const from =
      reason === 'expired'
        ? this.position.offset + 1
        : Math.min(reason === 'epoch_changed' ? 1 : this.position.offset, top.offset);
    this.position = top;
    this.generation++;
    this.restartReason = reason;
    this.tail?.clear();
    this.audience.restart({ epoch: top.epoch, from, to: top.offset, reason });
  }

  private passOver(from: number, to: number, reason: GapReason): void {
    this.position = { ...this.position, offset: to, id: '' };
    this.tail?.clear();
    this.audience.tellGap({ epoch: this.position.epoch, from, to, reason });
  }
}

const RESOLVED = Promise.resolve();
