// Subscribe and resume: hold live → listen on the bus → read the log → merge → verify → reply → send what was held.
// A resume is all or nothing: exactly the missed publications in order, or a refusal with its reason.

import { CLOSE } from '../protocol/codes.js';
import type { Position } from '../protocol/position.js';
import type { Member, ResumeRefusal, SubscribeResult } from '../protocol/publication.js';
import { TrunklineError, toTrunklineError } from './errors.js';
import type { Identity } from './identity.js';
import type { Feed } from './feed.js';
import type { Hub } from './hub.js';
import { authorize, may } from './policy.js';
import type { ChannelRouter, CoreLogger, ResolvedChannel } from './ports/application.js';
import type { Backplane, PresenceEntry } from './ports/backplane.js';
import type { LimitLedger } from './ports/limits.js';
import type { Clock } from './ports/time.js';
import type { Presence } from './presence.js';
import {
  EVERYTHING,
  judge,
  resumeQuestion,
  unprovenOf,
  type ResumeBounds,
  type Unproven,
  type Verdict,
} from './resume.js';
import type { Session } from './session.js';
import type { CoreStats } from './stats.js';
import { Subscription } from './subscription.js';

export interface SubscriberContext {
  readonly hub: Hub;
  readonly backplane: Backplane;
  readonly router: ChannelRouter;
  readonly presence: Presence;
  readonly clock: Clock;
  readonly stats: CoreStats;
  readonly logger: CoreLogger;
  readonly ledger: LimitLedger;
  readonly maxChannelsPerSession: number;
  readonly bounds: ResumeBounds;
}

export interface SubscribeRequest {
  readonly channel: string;
  readonly since: Position | undefined;
  readonly presence: boolean;
  /** The server joins the session: the policy is not asked. */
  readonly byServer?: boolean;
}

export interface Subscribed {
  readonly result: SubscribeResult;
  /** Call right after the reply was sent, in the same step. */
  readonly activate: () => void;
}

/** Where a reply stands in the log. */
interface Place extends Verdict {
  /** The feed's generation the reply speaks of. */
  readonly generation: number;
}

/** Tries to get a stable answer while the log is being replaced under us. */
const PLACE_TRIES = 3;

export class Subscriber {
  /** How often the rights of a session were reconsidered. */
  private readonly turns = new WeakMap<Session, number>();

  constructor(private readonly context: SubscriberContext) {}

  /** Throws `limit_exceeded` for more channels than a session may have. */
  checkCount(count: number, who: string): void {
    const { maxChannelsPerSession: most, ledger } = this.context;
    if (most > 0 && count > most && ledger.refuses('channels', who))
      throw new TrunklineError('limit_exceeded', `A session may be subscribed to ${most} channels at most.`);
  }

  async subscribe(session: Session, request: SubscribeRequest): Promise<Subscribed> {
    const turn = this.turns.get(session);
    const resolved = await this.admit(session, request);
    const { channel, presence, byServer = false } = request;
    const seesOthers = presence && maySee(session.identity, resolved, channel);
    const subscription = new Subscription(session, channel, seesOthers, byServer);
    session.subscriptions.set(channel, subscription);
    const { feed, ready } = this.context.hub.join(resolved.policy, subscription);
    // A handler that was being asked meanwhile may have answered for rights that are gone.
    if (!byServer && this.turns.get(session) !== turn) void this.askAgain(session, subscription);
    try {
      await ready;
      await this.enter(session, resolved);
      const members = subscription.wantsPresence ? await feed.members(subscription) : undefined;
      const unproven = this.unproven(session.identity, resolved, request);
      const place = await this.place(feed, subscription, { since: request.since, resolved, unproven });
      this.stillWanted(session, subscription);
      if (place.generation !== feed.generation) throw replacing();
      return this.answer({ session, feed, subscription, place, members });
    } catch (error) {
      this.drop(session, subscription);
      // Whatever became of the entering, and whoever ended the session meanwhile: no ghost stays.
      if (resolved.policy.presence) this.exit(session, request.channel);
      throw error;
    }
  }

  unsubscribe(session: Session, channel: string): void {
    const subscription = session.subscriptions.get(channel);
    if (subscription === undefined)
      throw new TrunklineError('not_subscribed', 'You are not subscribed to this channel.');
    this.release(session, subscription);
  }

  /** Frees a subscription, however it ends: unsubscribed, taken out by the server, or gone with its session. Safe to call twice. */
  release(session: Session, subscription: Subscription): void {
    if (!this.drop(session, subscription)) return;
    void this.tellHandler(session, subscription.channel);
    if (this.context.router.resolve(subscription.channel)?.policy.presence === true)
      this.exit(session, subscription.channel);
  }

  /** Takes a session out of a channel and tells it why. */
  expel(
    session: Session,
    channel: string,
    { code, message }: Pick<TrunklineError, 'code' | 'message'>,
  ): void {
    const subscription = session.subscriptions.get(channel);
    if (subscription === undefined) return;
    this.release(session, subscription);
    session.push({ type: 'unsubscribed', channel, code, message });
  }

  /** The session has another identity: it is asked anew for each channel it chose, and a former stranger becomes present. */
  reconsider(session: Session, before: Identity): void {
    this.turns.set(session, (this.turns.get(session) ?? 0) + 1);
    for (const subscription of [...session.subscriptions.values()]) {
      if (!subscription.byServer) void this.askAgain(session, subscription);
      const resolved = this.context.router.resolve(subscription.channel);
      if (resolved === undefined) continue;
      if (subscription.wantsPresence)
        subscription.wantsPresence = maySee(session.identity, resolved, subscription.channel);
      if (before.user === undefined) void this.enterLate(session, subscription, resolved);
    }
  }

  /** A handler that fails for another reason than a refusal proves nothing: the subscription stays. */
  private async askAgain(session: Session, subscription: Subscription): Promise<void> {
    const { channel } = subscription;
    const resolved = this.context.router.resolve(channel);
    if (resolved === undefined) return;
    const { policy, handlers, params } = resolved;
    try {
      authorize(session.identity, 'subscribe', channel, policy);
      await handlers?.onSubscribe?.({ channel, params, identity: session.identity, session: session.id });
    } catch (thrown) {
      const error = toTrunklineError(thrown);
      const refused = error.code === 'forbidden' || error.code === 'unauthenticated';
      if (refused && session.subscriptions.get(channel) === subscription) this.expel(session, channel, error);
    }
  }

  private async enterLate(
    session: Session,
    subscription: Subscription,
    resolved: ResolvedChannel,
  ): Promise<void> {
    try {
      await this.enter(session, resolved);
    } catch (error) {
      const { channel } = subscription;
      this.context.logger.warn('A session could not be entered as present.', {
        channel,
        error: String(error),
      });
    }
    const gone = session.subscriptions.get(subscription.channel) !== subscription;
    if (gone && resolved.policy.presence) this.exit(session, subscription.channel);
  }

  /** Whom the server joins has what goes with a subscription, but for history under a rule of its own. */
  private unproven(
    identity: Identity,
    { policy }: ResolvedChannel,
    { channel, since, byServer }: SubscribeRequest,
  ): Unproven {
    if (since === undefined || (byServer === true && policy.historyAccess === undefined)) return EVERYTHING;
    return unprovenOf(identity, channel, policy, this.context.clock.now());
  }

  private drop(session: Session, subscription: Subscription): boolean {
    if (session.subscriptions.get(subscription.channel) !== subscription) return false;
    session.subscriptions.delete(subscription.channel);
    this.context.hub.leave(subscription);
    return true;
  }

  private async admit(session: Session, { channel, byServer }: SubscribeRequest): Promise<ResolvedChannel> {
    const { router } = this.context;
    const resolved = router.resolve(channel);
    if (resolved === undefined) throw new TrunklineError('unknown_channel', 'No rule matches this channel.');
    if (byServer !== true) authorize(session.identity, 'subscribe', channel, resolved.policy);
    this.checkRoom(session, channel);
    if (byServer !== true && resolved.handlers?.onSubscribe !== undefined) {
      await resolved.handlers.onSubscribe({
        channel,
        params: resolved.params,
        identity: session.identity,
        session: session.id,
      });
      this.checkRoom(session, channel);
    }
    return resolved;
  }

  private checkRoom(session: Session, channel: string): void {
    if (session.ended) throw new TrunklineError('unavailable', 'The session has ended.');
    if (session.subscriptions.has(channel)) {
      throw new TrunklineError('already_subscribed', 'You are already subscribed to this channel.');
    }
    this.checkCount(session.subscriptions.size + 1, session.user ?? '');
  }

  private stillWanted(session: Session, subscription: Subscription): void {
    if (session.ended || session.subscriptions.get(subscription.channel) !== subscription) {
      throw new TrunklineError('unavailable', 'The subscription ended before it was ready.');
    }
    if (subscription.overflowed) {
      throw new TrunklineError('unavailable', 'The channel is too busy to join just now.', {
        retryAfterMs: 1000,
      });
    }
  }

  private answer(parts: {
    session: Session;
    feed: Feed;
    subscription: Subscription;
    place: Place;
    members: readonly Member[] | undefined;
  }): Subscribed {
    const { session, feed, subscription, place, members } = parts;
    subscription.offset = place.position.offset;
    const { stats } = this.context;
    stats.replayed += place.messages.length;
    if (place.recovered) stats.resumes.recovered++;
    else if (place.reason !== undefined) {
      stats.resumes.refused++;
      stats.discontinuities++;
    }
    const { messages, recovered, reason } = place;
    const { epoch, offset, id } = place.position;
    // Field by field: for a spread V8 defines each of them the slow way, once for every connection of a storm.
    const result = {
      epoch,
      offset,
      id,
      channel: feed.channel,
      recoverable: feed.keepsLog,
      recovered,
      reason,
      messages,
      members,
    };
    const activate = (): void => {
      feed.activate(subscription, place.generation);
      // What did not fit while others were waited for is in the log: the session comes back for it.
      if (subscription.overflowed) session.close(CLOSE.slowConsumer);
    };
    return { result, activate };
  }

  private async place(
    feed: Feed,
    subscription: Subscription,
    {
      since,
      resolved,
      unproven,
    }: { since: Position | undefined; resolved: ResolvedChannel; unproven: Unproven },
  ): Promise<Place> {
    if (!feed.keepsLog) return here(feed, since === undefined ? undefined : 'expired');
    if (since === undefined) return resolved.policy.replayLast ? this.lastValue(feed) : here(feed, undefined);
    const { bounds } = this.context;
    const question = resumeQuestion(since, bounds);
    for (let attempt = 0; attempt < PLACE_TRIES; attempt++) {
      const { generation } = feed;
      const slice = feed.recall(since) ?? (await feed.missed(since, question));
      if (feed.generation === generation && slice.top.epoch === feed.position.epoch) {
        const verdict = judge(since, slice, bounds, unproven);
        if (verdict.recovered || !resolved.policy.replayLast) return { generation, ...verdict };
        // Who cannot have what was missed begins anew, and a newcomer gets the last value.
        return { ...(await this.lastValue(feed)), reason: verdict.reason };
      }
      subscription.forget();
    }
    throw replacing();
  }

  private async lastValue(feed: Feed): Promise<Place> {
    const { generation, position, newest } = feed;
    if (newest !== undefined)
      return { generation, position, messages: [newest], recovered: false, reason: undefined };
    const question = { after: Math.max(0, position.offset - 1), limit: 1000, reverse: false };
    const { top, publications } = await this.context.backplane.read(feed.channel, question);
    const last = publications[publications.length - 1];
    if (feed.generation !== generation || top.epoch !== feed.position.epoch) return here(feed, undefined);
    return {
      generation,
      position: top,
      messages: last === undefined ? [] : [last],
      recovered: false,
      reason: undefined,
    };
  }

  private async enter(session: Session, { channel, policy }: ResolvedChannel): Promise<void> {
    const entry = this.entry(session);
    if (policy.presence && entry !== undefined) await this.context.presence.enter(channel, entry);
  }

  private exit(session: Session, channel: string): void {
    const entry = this.entry(session);
    if (entry !== undefined) this.context.presence.exit(channel, entry);
  }

  private entry(session: Session): PresenceEntry | undefined {
    const { user, name } = session.identity;
    return user === undefined ? undefined : { session: session.id, user, name, since: session.startedAt };
  }

  /** The session has left already; a handler that fails is the application's matter. */
  private async tellHandler(session: Session, channel: string): Promise<void> {
    const { router, logger } = this.context;
    const resolved = router.resolve(channel);
    if (resolved?.handlers?.onUnsubscribe === undefined) return;
    try {
      const { identity, id } = session;
      await resolved.handlers.onUnsubscribe({ channel, params: resolved.params, identity, session: id });
    } catch (error) {
      logger.error('An @OnUnsubscribe handler failed.', { channel, error: String(error) });
    }
  }
}

/** Members, joins and leaves are for who may ask for them. */
function maySee(identity: Identity, { policy }: ResolvedChannel, channel: string): boolean {
  return policy.presence && may(identity, 'presence', channel, policy);
}

function here(feed: Feed, reason: ResumeRefusal | undefined): Place {
  return { generation: feed.generation, position: feed.position, messages: [], recovered: false, reason };
}

function replacing(): TrunklineError {
  return new TrunklineError('unavailable', 'The history of this channel is being replaced.', {
    retryAfterMs: 1000,
  });
}
