// Puts the plain classes of the core together and owns the life of sessions. Knows no Nest and no transport.

import { CLOSE, NO_CLOSE_CODE } from '../protocol/codes.js';
import type { Cursor } from '../protocol/cursor.js';
import { PROTOCOL_VERSION } from '../protocol/frames.js';
import type { Position } from '../protocol/position.js';
import type { Member } from '../protocol/publication.js';
import { Admission } from './admission.js';
import { Flusher } from './batch.js';
import { CommandRunner } from './commands.js';
import type { CoreOptions } from './core.options.js';
import { Deadlines } from './deadlines.js';
import { toTrunklineError } from './errors.js';
import { Hub } from './hub.js';
import type { Identity } from './identity.js';
import type {
  Authenticator,
  ChannelRouter,
  CoreLogger,
  RateGate,
  SessionHooks,
} from './ports/application.js';
import type { Backplane, ControlMessage, Revocation } from './ports/backplane.js';
import { openLimits, type CoreLimits } from './ports/limits.js';
import type { Link, WireFormat } from './ports/link.js';
import type { Clock, Random } from './ports/time.js';
import { Presence } from './presence.js';
import { Publisher } from './publisher.js';
import { Reader } from './reader.js';
import type { ResumeBounds } from './resume.js';
import { Revocations } from './revocations.js';
import { Session, type SessionContext } from './session.js';
import { CoreStats } from './stats.js';
import { Subscriber } from './subscriber.js';
import { Tails } from './tail.js';

export interface CoreDependencies {
  readonly backplane: Backplane;
  readonly router: ChannelRouter;
  readonly authenticator: Authenticator;
  readonly hooks: SessionHooks;
  /** The bucket of a new session. */
  readonly newGate: (identity: Identity) => RateGate;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: CoreLogger;
  readonly options: CoreOptions;
  /** Shared with the authenticator, which asks it. */
  readonly revocations?: Revocations;
  /** Left out: only the bounds of `options` hold. */
  readonly limits?: CoreLimits;
}

export interface OpenSession {
  readonly identity: Identity;
  readonly format: WireFormat;
  readonly link: Link;
}

const NOWHERE: Cursor = new Map();
/** 16 bytes: a session id is a secret of its owner, so it must not be guessed. */
const SESSION_ID_BYTES = 16;
const ENDED = { code: 'forbidden', message: 'The server ended this subscription.' } as const;
const KNOWN_CODES: ReadonlySet<number> = new Set([
  ...Object.values(CLOSE).map((row) => row.code),
  1005,
  NO_CLOSE_CODE,
]);

export class Core {
  readonly stats: CoreStats;
  readonly hub: Hub;
  readonly presence: Presence;
  readonly publisher: Publisher;
  readonly subscriber: Subscriber;
  readonly reader: Reader;
  readonly admission: Admission;
  readonly revocations: Revocations;
  /** Of one channel; transports that answer for several at once hold their sum to it too. */
  readonly resumeBounds: ResumeBounds;
  /** True from the first drain on: transports take nobody new. */
  draining = false;
  private readonly deadlines: Deadlines<Session>;
  private readonly sessionContext: SessionContext;

  constructor(private readonly parts: CoreDependencies) {
    const { backplane, router, clock, logger, options, authenticator } = parts;
    const { limits = openLimits() } = parts;
    const { ledger } = limits;
    const stats = new CoreStats(ledger);
    this.stats = stats;
    const { positionCheckMs, feedLingerMs, maxChannelsPerSession, maxSessionsPerUser } = options;
    const bytes = options.outboxBytes || Infinity;
    const bounds = { resumeMessages: options.resumeMessages, resumeBytes: bytes };
    this.resumeBounds = bounds;
    const tails = new Tails({ messages: options.tailMessages, bytes: options.tailBytes });
    const members = (channel: string): Promise<readonly Member[]> => this.presence.members(channel);
    this.hub = new Hub({
      backplane,
      stats,
      logger,
      clock,
      tails,
      members,
      positionCheckMs,
      feedLingerMs,
    });
    this.hub.onControlMessage = (message) => this.obey(message);
    this.revocations = parts.revocations ?? new Revocations(clock, options);
    this.hub.onRevocations = (revocations) => this.enforce(revocations);
    this.presence = new Presence({ backplane, clock, logger, graceMs: options.leaveGraceMs });
    this.publisher = new Publisher({ backplane, router, stats, limits: limits.publishes });
    this.reader = new Reader({ backplane, presence: this.presence, router, bounds, clock });
    this.admission = new Admission({
      hub: this.hub,
      draining: () => this.draining,
      revocations: this.revocations,
      ledger,
      maxSessions: options.maxSessions,
      maxSessionsPerUser,
    });
    const { hub, presence, publisher, reader } = this;
    this.subscriber = new Subscriber({
      hub,
      backplane,
      router,
      presence,
      clock,
      stats,
      logger,
      ledger,
      maxChannelsPerSession,
      bounds,
    });
    const { subscriber } = this;
    const commands = new CommandRunner({
      authenticator,
      subscriber,
      publisher,
      reader,
      hub,
      clock,
      logger,
      limits,
      maxSessionsPerUser,
    });
    this.deadlines = new Deadlines(clock, (session) => this.onDue(session));
    this.sessionContext = {
      outbox: {
        flusher: new Flusher(
          (run) => clock.soon(run),
          (error) => logger.error('A batch could not be written.', { error: String(error) }),
        ),
        bounds: { bytes, messages: options.outboxMessages || Infinity },
        stats,
      },
      clock,
      commands,
      onEnd: (session, code, told) => this.onEnd(session, code, told),
      onIdentity: (session, before) => this.onIdentity(session, before),
    };
  }

  start(): Promise<void> {
    return this.parts.backplane.start(this.hub);
  }

  /**
   * Takes nobody new, tells every session its own moment within `windowMs` to move, and closes it with 1001 then.
   * Resolves when all are gone. Moments are spread evenly with jitter, so that other instances see a stream and no storm.
   */
  async drain(windowMs: number): Promise<void> {
    this.draining = true;
    const sessions = [...this.hub.all()];
    const slotMs = windowMs / Math.max(1, sessions.length);
    await Promise.all(
      sessions.map((session, place) =>
        this.moveAway(session, Math.round((place + this.parts.random.fraction()) * slotMs)),
      ),
    );
    for (const session of [...this.hub.all()]) session.close(CLOSE.goingAway);
  }

  private moveAway(session: Session, afterMs: number): Promise<void> {
    session.push({ type: 'reconnect', afterMs, reason: 'drain' });
    return new Promise((resolve) => {
      this.parts.clock.after(afterMs, () => {
        session.close(CLOSE.goingAway);
        resolve();
      });
    });
  }

  /** Closes every session with 1001, tells the waiting leaves, leaves the backplane. */
  async stop(): Promise<void> {
    for (const session of [...this.hub.all()]) session.close(CLOSE.goingAway);
    this.hub.stop();
    this.deadlines.stop();
    await this.presence.stop();
    await this.parts.backplane.stop();
  }

  /** The name that sessions are told; undefined when they are told none. */
  get instance(): string | undefined {
    return this.parts.options.instance || undefined;
  }

  healthy(): boolean {
    return this.parts.backplane.healthy();
  }

  /** A client came in by a transport of frames. Sends `welcome`, then joins it to what its token or the application says. */
  openSession(start: OpenSession): Session {
    const session = this.addSession(start);
    const { id, user } = session;
    session.push({
      type: 'welcome',
      session: id,
      user,
      heartbeatMs: this.parts.options.heartbeatMs,
      version: PROTOCOL_VERSION,
      instance: this.instance,
    });
    void this.greet(session);
    return session;
  }

  /** A session that is told nothing yet, for transports that subscribe before their first byte. */
  addSession({ identity, format, link }: OpenSession): Session {
    const { random, newGate } = this.parts;
    const session = new Session(
      { identity, format, link, id: random.id(SESSION_ID_BYTES), gate: newGate(identity) },
      this.sessionContext,
    );
    this.hub.add(session);
    this.schedule(session);
    return session;
  }

  /** Joins a session to a channel without its asking. Already joined: nothing happens. */
  async joinByServer(session: Session, channel: string, since?: Position): Promise<void> {
    if (session.ended || session.subscriptions.has(channel)) return;
    const request = { channel, since, presence: false, byServer: true };
    try {
      const { result, activate } = await this.subscriber.subscribe(session, request);
      session.push({ type: 'subscribed', result });
      activate();
    } catch (error) {
      this.parts.logger.warn('The server could not join a session.', {
        session: session.id,
        channel,
        error: String(error),
      });
    }
  }

  /** Joins the session to what its token or the application says, from where it stands in them. */
  async greet(session: Session, since: Cursor = NOWHERE): Promise<void> {
    try {
      const channels = new Set([...session.identity.join, ...(await this.parts.hooks.onConnect(session))]);
      for (const channel of channels) await this.joinByServer(session, channel, since.get(channel));
    } catch (thrown) {
      const error = toTrunklineError(thrown);
      this.parts.logger.warn('A connect hook refused or failed.', {
        session: session.id,
        error: String(thrown),
      });
      if (error.code === 'internal') session.close(CLOSE.internal);
      else session.close({ code: CLOSE.revoked.code, reason: error.message.slice(0, 100) });
    }
  }

  private onEnd(session: Session, code: number, told: boolean): void {
    this.deadlines.clear(session);
    this.stats.close(code, told || KNOWN_CODES.has(code));
    for (const subscription of [...session.subscriptions.values()])
      this.subscriber.release(session, subscription);
    this.hub.remove(session);
  }

  private onIdentity(session: Session, before: Identity): void {
    this.hub.reindex(session, before.user);
    if (this.revocations.refuses(session.identity)) return this.expel(session);
    this.schedule(session);
    this.subscriber.reconsider(session, before);
    // A stranger who logs in is somebody new: what its token and the application say of joining holds from now.
    if (before.kind === 'anonymous') void this.greet(session);
  }

  private schedule(session: Session): void {
    const { options, clock } = this.parts;
    const { expiresAt, kind } = session.identity;
    if (kind === 'anonymous') this.deadlines.set(session, clock.now() + options.strangerMs);
    else if (expiresAt === undefined) this.deadlines.clear(session);
    else this.deadlines.set(session, session.expiryTold ? expiresAt : expiresAt - options.expiryNoticeMs);
  }

  private onDue(session: Session): void {
    if (session.ended) return;
    const { expiresAt, kind } = session.identity;
    if (kind === 'anonymous') {
      if (session.subscriptions.size === 0) return session.close(CLOSE.authRequired);
    } else if (expiresAt !== undefined && this.parts.clock.now() >= expiresAt) {
      return session.close(CLOSE.expired);
    } else if (expiresAt !== undefined && !session.expiryTold) {
      session.expiryTold = true;
      session.push({ type: 'expiring', expiresAt });
    }
    this.schedule(session);
  }

  private enforce(revocations: readonly Revocation[]): void {
    this.revocations.apply(revocations);
    for (const user of new Set(revocations.map((revocation) => revocation.user)))
      for (const session of this.hub.ofUser(user))
        if (this.revocations.refuses(session.identity)) this.expel(session);
  }

  private expel(session: Session): void {
    if (!session.ended) this.stats.revoked++;
    session.close(CLOSE.revoked);
  }

  private obey(message: ControlMessage): void {
    for (const session of this.hub.ofUser(message.user)) {
      if (message.type === 'disconnect') session.close(message);
      else if (message.type === 'subscribe') void this.joinByServer(session, message.channel);
      else if (message.type === 'refresh') this.subscriber.reconsider(session, session.identity);
      else this.subscriber.expel(session, message.channel, ENDED);
    }
  }
}
