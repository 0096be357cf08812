// One channel on this instance: its position, the sessions that listen, and the check that nothing is missed between them.
// Pub/sub is a wake-up, the log is the truth: holes are filled from the log before anything later is delivered.

import type { GapPush, Push } from '../protocol/frames.js';
import type { Position } from '../protocol/position.js';
import type { GapReason, Publication } from '../protocol/publication.js';
import { gapFrame } from './backlog.js';
import type { DroppableFrame, Frame } from './batch.js';
import type { ChannelPolicy } from './policy.js';
import type { Backplane, Delivery, PresenceEvent } from './ports/backplane.js';
import type { CoreLogger } from './ports/application.js';
import type { WireFormat } from './ports/link.js';
import type { CoreStats } from './stats.js';
import type { Subscription } from './subscription.js';

export interface FeedContext {
  readonly backplane: Backplane;
  readonly stats: CoreStats;
  readonly logger: CoreLogger;
}

/** Epoch shown for channels without history: positions mean nothing there. */
export const NO_EPOCH = 'none';
/** Live publications held while a hole is being filled. More: they are dropped here and read from the log afterwards. */
const HELD_LIMIT = 4096;
/** Publications asked from the log in one step of a repair. */
const REPAIR_STEP = 500;

export class Feed {
  position: Position = { epoch: NO_EPOCH, offset: 0, id: '' };
  /** True when nothing has come since the last position check. */
  idle = true;
  /** Grows when the log was replaced under us: what was read before says nothing about it. */
  generation = 0;
  private opened = false;
  private opening: Promise<void> | undefined;
  /** The repair under way; another object, or none, when that one is out of date. */
  private repairing: object | undefined;
  private restartReason: GapReason = 'epoch_changed';
  private held: { epoch: string; delivery: Delivery }[] = [];
  private readonly live = new Map<WireFormat, Subscription[]>();
  /** Joining, or ahead of the bus because their reply was read from the log. */
  private readonly waiting = new Set<Subscription>();

  constructor(
    readonly channel: string,
    readonly policy: ChannelPolicy,
    private readonly context: FeedContext,
  ) {}

  get size(): number {
    let size = this.waiting.size;
    for (const group of this.live.values()) size += group.length;
    return size;
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
    this.waiting.add(subscription);
  }

  /** The reply is out, in this very step: send what was held, then live. `generation` is the one the reply speaks of. */
  activate(subscription: Subscription, generation: number): void {
    if (generation !== this.generation) {
      // The log was replaced between the reply's making and its sending.
      const { epoch, offset } = this.position;
      const gap = {
        channel: this.channel,
        epoch,
        from: Math.min(1, offset),
        to: offset,
        count: offset,
      } as const;
      const push: Push = { type: 'gap', ...gap, reason: this.restartReason };
      subscription.listener.send(frameOf(subscription.listener.format, push, new Map()));
      subscription.offset = offset;
    }
    subscription.release();
    if (subscription.offset <= this.position.offset) this.promote(subscription);
  }

  leave(subscription: Subscription): void {
    this.waiting.delete(subscription);
    if (subscription.index < 0) return;
    const group = this.live.get(subscription.listener.format) as Subscription[];
    const last = group.pop() as Subscription;
    if (last !== subscription) {
      group[subscription.index] = last;
      last.index = subscription.index;
    }
    subscription.index = -1;
    if (group.length === 0) this.live.delete(subscription.listener.format);
  }

  /** From the bus. Never throws. */
  receive(epoch: string, delivery: Delivery): void {
    const { offset } = delivery.publication;
    this.idle = false;
    if (offset === 0 || !this.keepsLog) {
      this.deliver(delivery);
      return;
    }
    if (!this.opened || this.repairing !== undefined) {
      if (this.held.length < HELD_LIMIT) this.held.push({ epoch, delivery });
      return;
    }
    if (this.isNext(epoch, delivery)) this.advance(epoch, delivery);
    else if (this.isRepeat(epoch, delivery)) this.context.stats.busDuplicates++;
    else this.repair();
  }

  presence(event: PresenceEvent): void {
    const frames = new Map<WireFormat, Frame>();
    const push: Push = { type: event.type, channel: this.channel, member: event.member };
    for (const [format, group] of this.live) {
      for (const subscription of group) {
        if (subscription.wantsPresence) subscription.listener.send(frameOf(format, push, frames));
      }
    }
    for (const subscription of this.waiting) {
      const own = event.member.user === subscription.listener.user;
      if (!subscription.wantsPresence || own) continue;
      this.offer(subscription, 0, frameOf(subscription.listener.format, push, frames));
    }
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
    this.held = [];
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
    const held = this.held;
    this.held = [];
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
    const { offset, id } = delivery.publication;
    this.position = { epoch, offset, id };
    this.deliver(delivery);
  }

  private deliver({ publication, except }: Delivery): void {
    const frames = new Map<WireFormat, Frame>();
    const droppable = this.droppable(publication);
    const push: Push = { type: 'message', channel: this.channel, epoch: droppable.epoch, publication };
    for (const [format, group] of this.live) {
      const frame = frameOf(format, push, frames, droppable);
      for (const subscription of group) {
        if (except === undefined || subscription.listener.id !== except) subscription.listener.send(frame);
      }
    }
    for (const subscription of this.waiting) {
      if (except !== undefined && subscription.listener.id === except) continue;
      const frame = frameOf(subscription.listener.format, push, frames, droppable);
      this.offer(subscription, publication.offset, frame);
    }
  }

  private droppable(publication: Publication): DroppableFrame {
    return {
      channel: this.channel,
      epoch: this.position.epoch,
      offset: publication.offset,
      id: publication.id,
      key: publication.key,
      overflow: this.policy.overflow,
    };
  }

  private offer(subscription: Subscription, offset: number, frame: Frame): void {
    if (subscription.joining) {
      subscription.hold(offset, frame);
      return;
    }
    if (offset === 0 || offset > subscription.offset) subscription.listener.send(frame);
    if (offset >= subscription.offset) this.promote(subscription);
  }

  private promote(subscription: Subscription): void {
    this.waiting.delete(subscription);
    const { format } = subscription.listener;
    let group = this.live.get(format);
    if (group === undefined) this.live.set(format, (group = []));
    subscription.index = group.length;
    group.push(subscription);
  }

  private repair(): void {
    if (this.repairing !== undefined) return;
    const repair = {};
    this.repairing = repair;
    this.catchUp(repair)
      .catch((error: unknown) => {
        if (this.repairing !== repair) return;
        // What was held is in the log. The next publication, position check or reconnect reads it; nothing later is delivered before.
        this.held = [];
        this.idle = true;
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
    for (const subscription of this.waiting) subscription.forget();
    this.tellGap({ from, to: top.offset, reason }, true);
    for (const subscription of [...this.waiting]) {
      if (subscription.joining) continue;
      subscription.offset = top.offset;
      this.promote(subscription);
    }
  }

  private passOver(from: number, to: number, reason: GapReason): void {
    this.position = { ...this.position, offset: to, id: '' };
    this.tellGap({ from, to, reason }, false);
  }

  /** `ahead`: also those whose reply went further than `to`, since what they were given is void. */
  private tellGap(
    { from, to, reason }: { from: number; to: number; reason: GapReason },
    ahead: boolean,
  ): void {
    const { epoch } = this.position;
    const push: GapPush = {
      type: 'gap',
      channel: this.channel,
      epoch,
      from,
      to,
      count: to - from + 1,
      reason,
    };
    const frames = new Map<WireFormat, Frame>();
    for (const [format, group] of this.live) {
      this.context.stats.discontinuities += group.length;
      for (const subscription of group) subscription.listener.send(frameOf(format, push, frames));
    }
    for (const subscription of this.waiting) {
      if (subscription.joining) {
        // Released with what is held if its reply turns out to end before it; a restart has its own way.
        if (!ahead) subscription.hold(to, frameOf(subscription.listener.format, push, frames));
        continue;
      }
      if (!ahead && subscription.offset > to) continue;
      this.context.stats.discontinuities++;
      subscription.listener.send(frameOf(subscription.listener.format, push, frames));
    }
  }
}

const RESOLVED = Promise.resolve();

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
