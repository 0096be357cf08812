// The facade an application injects: publish, read, join and disconnect from anywhere, without knowing sessions or transports.

import { CLOSE, type CloseRow } from '../protocol/codes.js';
import { HISTORY_LIMIT } from '../protocol/frames.js';
import { isChannelName, isEventName, isKey, isUserId } from '../protocol/names.js';
import type { Position } from '../protocol/position.js';
import type { HistoryResult, Member, PublishResult } from '../protocol/publication.js';
import type { Core } from './core.js';
import { TrunklineError, toTrunklineError } from './errors.js';
import { BACKEND, type Identity } from './identity.js';
import type { Backplane, Question, Revocation } from './ports/backplane.js';
import type { PublishRequest } from './publisher.js';
import type { RevokeOptions } from './revocations.js';

export interface PublishOptions {
  /** Conflation key. */
  readonly key?: string;
  /** The same key within five minutes publishes once. */
  readonly idempotencyKey?: string;
  /** Session that shall not get its live copy. */
  readonly exceptSession?: string;
  /** Who publishes; the backend when left out. Policy and handlers see this identity. */
  readonly identity?: Identity;
}

export interface SessionView {
  readonly id: string;
  readonly user: string | undefined;
  readonly transport: string;
  readonly channels: readonly string[];
  /** Milliseconds since 1970. */
  readonly since: number;
}

export interface ChannelView {
  readonly channel: string;
  readonly subscribers: number;
}

export interface StatsView {
  readonly sessions: number;
  readonly users: number;
  readonly channels: number;
  readonly published: number;
  readonly delivered: number;
  readonly replayed: number;
  readonly dropped: number;
  readonly discontinuities: number;
}

export type Settled =
  | { readonly ok: true; readonly result: PublishResult }
  | { readonly ok: false; readonly error: TrunklineError };

export class RealtimeService {
  constructor(
    private readonly core: Core,
    private readonly backplane: Backplane,
  ) {
    core.hub.onQuestion = (question) => this.answer(question);
  }

  /** Publishes any JSON value. Rejects with TrunklineError. */
  async publish(
    channel: string,
    event: string,
    data: unknown,
    options: PublishOptions = {},
  ): Promise<PublishResult> {
    const text = JSON.stringify(data) as string | undefined;
    if (text === undefined) throw new TrunklineError('invalid_data', 'The payload is not a JSON value.');
    return this.publishRaw({
      channel,
      event,
      data: text,
      key: options.key,
      idempotencyKey: options.idempotencyKey,
      except: options.exceptSession,
      identity: options.identity ?? BACKEND,
    });
  }

  /** As `publish`, with payload text that is already JSON and is handed on byte for byte. */
  async publishRaw(request: PublishRequest): Promise<PublishResult> {
    checkNames(request);
    return this.core.publisher.publish(request);
  }

  /** Many publications, in order; one outcome each, so that one refusal does not hide the others. */
  async publishMany(requests: readonly PublishRequest[]): Promise<readonly Settled[]> {
    const outcomes: Settled[] = [];
    for (const request of requests) {
      try {
        outcomes.push({ ok: true, result: await this.publishRaw(request) });
      } catch (thrown) {
        outcomes.push({ ok: false, error: toTrunklineError(thrown) });
      }
    }
    return outcomes;
  }

  history(
    channel: string,
    options: { since?: Position | undefined; limit?: number; reverse?: boolean; identity?: Identity } = {},
  ): Promise<HistoryResult> {
    const { since, limit = HISTORY_LIMIT, reverse = false, identity = BACKEND } = options;
    return this.core.reader.history({ identity }, { channel, since, limit, reverse });
  }

  members(channel: string, identity: Identity = BACKEND): Promise<readonly Member[]> {
    return this.core.reader.members({ identity }, channel);
  }

  /** Joins every session of a user, on all instances, to a channel; each is told by `subscribed`. */
  subscribe(user: string, channel: string): Promise<void> {
    return this.backplane.control({
      type: 'subscribe',
      user: checkUser(user),
      channel: checkChannel(channel),
    });
  }

  unsubscribe(user: string, channel: string): Promise<void> {
    return this.backplane.control({
      type: 'unsubscribe',
      user: checkUser(user),
      channel: checkChannel(channel),
    });
  }

  /** Closes every session of a user, on all instances. */
  disconnect(user: string, { code, reason }: CloseRow = CLOSE.revoked): Promise<void> {
    return this.backplane.control({ type: 'disconnect', user: checkUser(user), code, reason });
  }

  /**
   * Refuses tokens of a user on all instances, and closes the sessions that live by them with 4003: all that were issued at or before
   * `before`, or the one with this `tokenId`. Resolves when it is kept, with what was kept.
   */
  async revoke(user: string, options: RevokeOptions = {}): Promise<Revocation> {
    const revocation = this.core.revocations.make(user, options);
    await this.backplane.revoke(revocation);
    return revocation;
  }

  /**
   * What a user may do has changed: rules and `@OnSubscribe` are asked anew for every channel that the user's sessions have chosen, on all
   * instances. Who lost a right is told by `unsubscribed`. Channels that the server joined stay; see `unsubscribe`.
   */
  refresh(user: string): Promise<void> {
    return this.backplane.control({ type: 'refresh', user: checkUser(user) });
  }

  /** Closes the sessions of this instance that go back to an API key of this name. Each instance reads keys by itself. */
  endKey(name: string, row: CloseRow = CLOSE.revoked): void {
    for (const session of [...this.core.hub.all()])
      if (session.identity.key?.name === name) session.close(row);
  }

  /** Sessions of this instance, of one user or all. */
  sessions(user?: string): readonly SessionView[] {
    const list = user === undefined ? [...this.core.hub.all()] : this.core.hub.ofUser(user);
    return list.map((session) => ({
      id: session.id,
      user: session.user,
      transport: session.link.transport,
      channels: [...session.subscriptions.keys()],
      since: session.startedAt,
    }));
  }

  /** Sessions of all instances, of one user or all. */
  async allSessions(user?: string): Promise<readonly SessionView[]> {
    const answers = await this.backplane.gather({ type: 'sessions', user });
    return (answers as readonly (readonly SessionView[])[]).flat();
  }

  /** Channels with listeners on any instance. */
  async allChannels(): Promise<readonly ChannelView[]> {
    const counts = new Map<string, number>();
    for (const list of (await this.backplane.gather({
      type: 'channels',
    })) as readonly (readonly ChannelView[])[])
      for (const { channel, subscribers } of list)
        counts.set(channel, (counts.get(channel) ?? 0) + subscribers);
    return [...counts].map(([channel, subscribers]) => ({ channel, subscribers }));
  }

  /** The sums of all instances. A user or a channel that is on two of them counts twice. */
  async allStats(): Promise<StatsView & { readonly instances: number }> {
    const answers = (await this.backplane.gather({ type: 'stats' })) as readonly StatsView[];
    const sum = (field: keyof StatsView): number => answers.reduce((total, stats) => total + stats[field], 0);
    return {
      instances: answers.length,
      sessions: sum('sessions'),
      users: sum('users'),
      channels: sum('channels'),
      published: sum('published'),
      delivered: sum('delivered'),
      replayed: sum('replayed'),
      dropped: sum('dropped'),
      discontinuities: sum('discontinuities'),
    };
  }

  private answer(question: Question): unknown {
    if (question.type === 'sessions') return this.sessions(question.user);
    return question.type === 'channels' ? this.channels() : this.stats();
  }

  /** Channels with listeners on this instance. */
  channels(): readonly ChannelView[] {
    return this.core.hub.channels();
  }

  stats(): StatsView {
    const { hub, stats } = this.core;
    const { published, delivered, replayed, dropped, discontinuities } = stats;
    const { sessionCount: sessions, userCount: users } = hub;
    return {
      sessions,
      users,
      channels: hub.channels().length,
      published,
      delivered,
      replayed,
      dropped,
      discontinuities,
    };
  }
}

function checkNames({ channel, event, key, idempotencyKey }: PublishRequest): void {
  const fault = (path: string): TrunklineError =>
    new TrunklineError('invalid_data', `"${path}" is not a valid name.`, {
      details: [{ path, message: 'is not a valid name' }],
    });
  if (!isChannelName(channel)) throw fault('channel');
  if (!isEventName(event)) throw fault('event');
  if (key !== undefined && !isKey(key)) throw fault('key');
  if (idempotencyKey !== undefined && !isKey(idempotencyKey)) throw fault('idempotencyKey');
}

function checkUser(user: string): string {
  if (!isUserId(user)) throw new TrunklineError('invalid_data', 'The user id is not valid.');
  return user;
}

function checkChannel(channel: string): string {
  if (!isChannelName(channel)) throw new TrunklineError('invalid_data', 'The channel name is not valid.');
  return channel;
}
