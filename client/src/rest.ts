// What transports made of requests share: the channels of the session and their replies, and the calls of the REST API in order.
// Knows neither how messages come nor who hears them.

import { encodeCursor, encodedLength, MAX_CURSOR_LENGTH } from '../../src/protocol/cursor.js';
import type { FrameId } from '../../src/protocol/frames.js';
import { formatPosition } from '../../src/protocol/position.js';
import { problemOf, RestCalls, type CallOptions, type Problem, type RestStart } from './rest-calls.js';
import type { ClientFrame, Transport, Wanted } from './transport.js';
import type { Gap, Member, Message, Position, SubscribeReply } from './types.js';

/** What is known of a channel that was entered. `replayed`: so many messages that follow came before its position. */
export type Entered = Omit<SubscribeReply, 'messages'> & { readonly replayed?: number };

/** One channel of the session. */
export interface Line {
  readonly presence: boolean;
  /** What the entering begins after. */
  readonly since?: Position | undefined;
  /** Of the `subscribe` frame, once it has come. */
  id?: FrameId;
  /** The server joined it. A new stream asks for it by name; where that is refused, the server may join it again by itself. */
  readonly pushed?: boolean;
  reply?: SubscribeReply & { readonly messages: Message[] };
  /** Messages that still belong to the reply. */
  missing: number;
  problem?: Problem;
  /** The reply was given: from here on frames. */
  joined?: boolean;
  members: Map<string, Member>;
}

export type Lines = ReadonlyMap<string, Line>;

/** What is looked at in the data of a push, whichever it is. */
export interface Told {
  readonly channel?: string;
  readonly id?: string;
  readonly offset?: number;
  readonly event?: string;
  readonly data?: unknown;
  readonly member?: Member;
  readonly code?: unknown;
  readonly reason?: string;
}

/** What is read of a frame's data. */
interface Asked {
  readonly channel: string;
  readonly since?: Position;
  readonly presence?: boolean;
  readonly token: string;
}

type Ack = readonly [id: FrameId, data: object];

/** Ids remembered of messages that would be handed on twice: where two streams overlap, and own ones. */
const KNOWN_LIMIT = 500;

/** For a channel that one request has no room for, as a WebSocket answers one beyond the cap. */
const TOO_MANY: Problem = {
  ...{ status: 429, code: 'limit_exceeded', retry: false, retryAfterMs: undefined, ours: true },
  message: 'These are more channels, or longer names, than one request of this transport can carry.',
};

export abstract class RestTransport extends RestCalls implements Transport {
  protected readonly lines = new Map<string, Line>();
  protected session = '';
  /** Settles when the answers to publishes without an own copy are there: only then the copies can be told. */
  protected unheard: Promise<unknown> | undefined;
  #welcomed = false;
  #planned = false;
  #acks: Ack[] = [];
  #queue: Promise<unknown> = Promise.resolve();
  readonly #known = new Set<string>();
  readonly #wanted: () => readonly Wanted[];

  constructor(start: RestStart) {
    super(start);
    const { wanted } = start;
    this.#wanted = wanted;
    for (const { channel, ...line } of wanted()) this.lines.set(channel, newLine(line));
    this.#plan();
  }

  /** Opens anew for these channels, calls `ready`, and resolves; with the problem when refused. Rejects when nobody answers. */
  protected abstract enter(asked: Lines): Promise<Problem | undefined>;
  /** The server lives, and there is no channel to hear. */
  protected abstract rest(): void;
  /** True: the connection lives. False: wait and see. Undefined: only a new request can tell. */
  protected abstract alive(): boolean | undefined;

  send({ event, id, body }: ClientFrame): void {
    const data = JSON.parse(body) as Asked;
    const { channel } = data;
    const path = `api/channels/${encodeURIComponent(channel)}`;
    if (event === 'subscribe') this.#subscribe(id, data);
    else if (event === 'unsubscribe') {
      this.lines.delete(channel);
      this.#plan([id, { channel }]);
    } else if (event === 'publish') this.#publish(id, `${path}/messages`, body);
    else if (event === 'history') void this.#answer(id, `${path}/messages?${historyQuery(body)}`);
    else if (event === 'presence') void this.#answer(id, `${path}/members`);
    else if (event === 'authenticate') {
      this.token = data.token;
      this.#plan([id, {}]);
    } else if (event === 'ping') {
      const alive = this.alive();
      if (alive) this.reply(id, {});
      else if (alive === undefined) this.#plan([id, {}]);
    } else this.#refuse(id, { code: 'unknown_event', message: 'This transport carries no own events.' });
  }

  /** Without an event: a sign of life. */
  protected reply(id?: FrameId, data?: object, event = 'ok'): void {
    if (!this.over) this.events.frame({ event, ...(id !== undefined && { id }), data });
  }

  /** The positions to go on from, as query or header. */
  protected cursor(places: ReadonlyMap<string, Position | undefined>): string {
    const positions = new Map<string, Position>();
    for (const [channel, { joined, since }] of this.lines) {
      const place = joined ? places.get(channel) : since;
      if (place) positions.set(channel, place);
    }
    return encodeCursor(positions);
  }

  /** Where the client stands in each channel. */
  protected places(): Map<string, Position | undefined> {
    return new Map(this.#wanted().map(({ channel, since }) => [channel, since]));
  }

  /** `asked` is heard from now on; messages of before follow as events. */
  protected ready(asked: Lines, welcome: object, channels: readonly Entered[] = []): void {
    const places = this.places();
    for (const { replayed = 0, ...entered } of channels) {
      const { channel, members } = entered;
      const line = asked.get(channel);
      if (line?.joined) {
        if (members) this.compare(channel, members);
        this.#caughtUp(entered, places.get(channel));
      } else if (line) {
        line.reply = { ...entered, messages: [] };
        line.missing = replayed;
      }
    }
    this.#welcomed = true;
    this.tell('welcome', { session: this.session, heartbeatMs: 0, version: 1, ...welcome });
    for (const channel of asked.keys()) this.#settle(channel);
  }

  /** An event of the server; those of a channel are handed on when it was entered and not left. */
  protected event(event: string, data: Told): void {
    const { channel = '', member, id = '' } = data;
    const line = this.lines.get(channel);
    if (event === 'close') return this.end(data.code as number, data.reason ?? '');
    if (event === 'event') return this.tell(data.event ?? '', data.data);
    if (event === 'subscribed') {
      if (line) return this.#pushedAgain(line, data as SubscribeReply);
      this.lines.set(channel, newLine({ presence: false, pushed: true, joined: true }));
    } else if (channel !== '') {
      if (event === 'message') {
        const known = this.#known.has(id);
        if (data.offset === undefined) this.#know(id);
        if (line?.missing) {
          line.missing--;
          line.reply?.messages.push(data as Message);
          return this.#settle(channel);
        }
        if (known) return;
      }
      if (!line?.joined) return;
      if (event === 'unsubscribed') this.lines.delete(channel);
      if (event === 'join' && member) line.members.set(member.user, member);
      if (event === 'leave' && member) line.members.delete(member.user);
    }
    this.tell(event, data);
  }

  /** Tells by joins and leaves what has changed. */
  protected compare(channel: string, members: readonly Member[]): void {
    const before = this.lines.get(channel)?.members;
    const now = new Set(members.map(({ user }) => user));
    for (const [user, member] of before ?? []) if (!now.has(user)) this.event('leave', { channel, member });
    for (const member of members) if (!before?.has(member.user)) this.event('join', { channel, member });
  }

  /** True when the refusal is about a channel, which is out then. */
  protected turnDown(problem: Problem): boolean {
    const { channel = '' } = problem;
    const line = this.lines.get(channel);
    if (line?.joined && !line.pushed) this.event('unsubscribed', problem);
    else if (line) {
      line.problem = problem;
      this.#settle(channel);
    }
    return line !== undefined;
  }

  protected tell(event: string, data: unknown): void {
    if (!this.over) this.events.frame({ event, data });
  }

  /** The channels and all that waits for them are taken in one step, after what was sent before, before what is sent later. */
  #plan(ack?: Ack): void {
    if (ack) this.#acks.push(ack);
    if (!this.#planned) void this.#enqueue(() => this.#enter());
    this.#planned = true;
  }

  #enqueue(run: () => Promise<unknown>): Promise<unknown> {
    const next = this.#queue.then(() => this.over || run()).catch((error: unknown) => this.fail(error));
    return (this.#queue = next);
  }

  async #enter(): Promise<void> {
    this.#planned = false;
    const acks = this.#acks.splice(0);
    for (;;) {
      const asked = new Map([...this.lines].filter(([, { problem }]) => !problem));
      if (this.#cut(asked, overflow(asked))) continue;
      const problem = await this.enter(asked);
      if (this.over) return;
      const { status = 200, ours, channel = '' } = problem ?? {};
      if (!problem) break;
      if (asked.size === 0 && ours && (status === 400 || (status === 401 && this.token === undefined))) {
        this.rest();
        break;
      }
      if (asked.has(channel) && this.turnDown(problem)) continue;
      // How many would do is not told. One by one would take too many requests.
      if (isTooMuch(problem) && this.#cut(asked, Math.ceil(asked.size / 8))) continue;
      if (!this.#welcomed || [204, 401, 403].includes(status)) return this.stop(problem);
      // What goes on without the change stays; who asked for it is told.
      for (const [id] of acks.splice(0)) this.#refuse(id, problem);
      for (const [name, { joined }] of this.lines) if (!joined) this.turnDown({ ...problem, channel: name });
      return;
    }
    for (const ack of acks) this.reply(...ack);
    // Wanted when it was dialed, and not any more.
    for (const [channel, { id, pushed, problem }] of this.lines) {
      if (id !== undefined || pushed) continue;
      this.lines.delete(channel);
      if (!problem) this.#plan();
    }
  }

  /** Turns down so many of the channels that came last; false when there is none that could go. */
  #cut(asked: Lines, count: number): boolean {
    const fresh = [...asked.keys()].filter((channel) => !asked.get(channel)?.joined);
    const newest = fresh.slice(Math.max(0, fresh.length - count));
    for (const channel of newest) this.turnDown({ ...TOO_MANY, channel });
    return newest.length > 0;
  }

  #subscribe(id: FrameId, { channel, since, presence = false }: Asked): void {
    let line = this.lines.get(channel);
    const same = JSON.stringify(line?.since) === JSON.stringify(since);
    if (!line || line.joined || !(line.problem || same) || (presence && !line.presence)) {
      this.lines.set(channel, (line = newLine({ since, presence })));
      this.#plan();
    }
    line.id = id;
    this.#settle(channel);
  }

  /** Gives the reply when it is whole and asked for. */
  #settle(channel: string): void {
    const line = this.lines.get(channel);
    const { id, reply, problem, missing, joined } = line ?? {};
    if (!line || joined || id === undefined) return;
    if (problem) {
      this.lines.delete(channel);
      this.#refuse(id, problem);
    } else if (reply && missing === 0) {
      line.joined = true;
      for (const member of reply.members ?? []) line.members.set(member.user, member);
      this.reply(id, reply);
    }
  }

  /** A channel that was heard before; what it missed follows as messages. */
  #caughtUp({ channel, epoch, offset: to, recovered, reason }: Entered, at?: Position): void {
    if (!at || recovered) return;
    const count = epoch === at.epoch ? Math.max(0, to - at.offset) : 0;
    // Nothing is missing when the former stream had brought it meanwhile.
    if (count === 0 && epoch === at.epoch && reason !== 'ahead' && reason !== 'id_mismatch') return;
    const gap: Gap = { channel, epoch, from: count && at.offset + 1, to, count, reason: reason ?? 'lost' };
    this.tell('gap', gap);
  }

  /** A new stream is another session, and the server joined it, too. */
  #pushedAgain({ joined }: Line, reply: SubscribeReply): void {
    // Otherwise our own subscribe is on its way.
    if (!joined) return;
    this.#caughtUp(reply, this.places().get(reply.channel));
    for (const message of reply.messages) this.event('message', message);
  }

  #publish(id: FrameId, path: string, text: string): void {
    const {
      echo,
      idempotencyKey,
      channel: _channel,
      ...message
    } = JSON.parse(text) as {
      readonly echo?: boolean;
      readonly idempotencyKey: string;
      readonly channel: string;
    };
    const unheard = echo === false;
    const done = this.#enqueue(() => {
      const exceptSession = (unheard && this.session) || undefined;
      return this.#answer(
        id,
        path,
        {
          method: 'POST',
          headers: { 'content-type': 'application/json', 'idempotency-key': idempotencyKey },
          body: JSON.stringify({ ...message, exceptSession }),
        },
        unheard,
      );
    });
    if (unheard) this.unheard = done;
  }

  async #answer(id: FrameId, path: string, init: CallOptions = {}, unheard = false): Promise<void> {
    const read = async (response: Response): Promise<void> => {
      if (response.ok) {
        const data = (await response.json()) as { readonly id: string };
        if (unheard) this.#know(data.id);
        return this.reply(id, data);
      }
      const problem = await problemOf(response);
      if (problem.status === 401 && this.token !== undefined) this.stop(problem);
      else this.#refuse(id, problem);
    };
    await this.call(path, read, init).catch((error: unknown) => this.fail(error));
  }

  #refuse(id: FrameId | undefined, data: object): void {
    this.reply(id, data, 'error');
  }

  #know(id: string): void {
    this.#known.add(id);
    const [oldest = ''] = this.#known;
    if (this.#known.size > KNOWN_LIMIT) this.#known.delete(oldest);
  }
}

/** Channels at the end for which a cursor has no room. */
function overflow(asked: Lines): number {
  let room = MAX_CURSOR_LENGTH;
  return [...asked.keys()].filter((channel) => (room -= encodedLength(channel)) < 0).length;
}

/** Channels beyond the cap of a session, or an address or headers that are too long for something on the way. */
function isTooMuch({ status, code, retryAfterMs }: Problem): boolean {
  return status === 414 || status === 431 || (code === 'limit_exceeded' && retryAfterMs === undefined);
}

function newLine(line: Omit<Line, 'missing' | 'members'>): Line {
  return { ...line, missing: 0, members: new Map() };
}

function historyQuery(body: string): string {
  const {
    channel: _channel,
    since,
    ...query
  } = JSON.parse(body) as Record<string, string> & { since: unknown };
  return `${new URLSearchParams({ ...query, ...(since !== undefined && { since: formatPosition(since as Position) }) })}`;
}
