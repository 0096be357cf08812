// One channel as the application sees it: events, members, publish, history. Knows no connection, only its host.

import { Emitter, type Off } from './emitter.js';
import { isRetryable, TrunklineError, type TrunklineErrorCode } from './errors.js';
import { Membership, type Entry, type MembershipHost } from './membership.js';
import { messageLoop } from './messages-iterator.js';
import { Sequence } from './sequence.js';
import type { Wanted } from './transport.js';
import type {
  ChannelEventMap,
  Gap,
  HistoryOptions,
  HistoryPage,
  Hold,
  Member,
  MemberChange,
  Message,
  MessageOf,
  MessagesOptions,
  Position,
  Published,
  PublishOptions,
  SubscribeOptions,
  SubscribeReply,
  Subscription,
} from './types.js';

export interface ChannelOptions {
  /** Keep `members`, and hear `join` and `leave`. Default false. */
  readonly presence?: boolean;
}

/** `end`: a loop over the messages gets no more. Without an error after `unsubscribe()`. */
type Emitted<Events extends object> = ChannelEventMap<Events> & { end: TrunklineError | undefined };

export interface ChannelHost extends MembershipHost {
  request(event: string, body: string): Promise<unknown>;
  /** An aborted one that was not sent yet is not sent any more. */
  publish(body: string, signal?: AbortSignal): Promise<Published>;
  newKey(): string;
  report(error: unknown): void;
}

export class Channel<Events extends object = Record<string, unknown>> {
  readonly name: string;
  readonly #host: ChannelHost;
  readonly #emitter: Emitter<Emitted<Events>>;
  readonly #membership: Membership;
  readonly #sequence: Sequence;
  readonly #members = new Map<string, Member>();
  /** Who wants the subscription. The channel itself stands for `subscribe()`. */
  readonly #holders = new Set<object>();
  #presence = false;

  /** Use `trunkline.channel(name)`. */
  constructor(name: string, host: ChannelHost) {
    this.name = name;
    this.#host = host;
    this.#emitter = new Emitter((error) => host.report(error));
    this.#sequence = new Sequence(name, {
      message: (message) => this.#heard('message', message as MessageOf<Events>),
      gap: (gap) => this.#heard('gap', gap),
    });
    this.#membership = new Membership({
      channel: name,
      host,
      wantsPresence: () => this.#presence,
      since: () => this.#sequence.since,
      entered: (subscription, entry) => this.#entered(subscription, entry),
      refused: (error) => {
        this.#holders.delete(this);
        this.#setMembers([]);
        this.#emitter.emit('unsubscribed', error);
        this.#emitter.emit('end', error);
      },
    });
  }

  get subscribed(): boolean {
    return this.#membership.joined;
  }

  /** Who is there, by user id; kept up to date with the option `presence`. While disconnected: what was true last. */
  get members(): ReadonlyMap<string, Member> {
    return this.#members;
  }

  /** After the last message handed on, for a later `subscribe({ since })`; undefined where the channel keeps no history. */
  get position(): Position | undefined {
    return this.#sequence.since;
  }

  on<K extends keyof ChannelEventMap<Events>>(
    event: K,
    listener: (value: ChannelEventMap<Events>[K]) => void,
  ): Off {
    return this.#emitter.on(event, listener);
  }

  /** Messages of one event, with the payload first. */
  onEvent<K extends keyof Events & string>(
    event: K,
    listener: (data: Events[K], message: Message<Events[K]>) => void,
  ): Off {
    return this.on('message', (message) => {
      if (message.event === event)
        listener(message.data as Events[K], message as unknown as Message<Events[K]>);
    });
  }

  /**
   * Resolves when the server has taken the subscription, rejects when it refuses for good. It then lasts, over reconnects,
   * until `unsubscribe()` or the event `unsubscribed`.
   */
  async subscribe({ since, signal }: SubscribeOptions = {}): Promise<Subscription> {
    signal?.throwIfAborted();
    const holder = signal ?? this;
    try {
      const subscription = await orAborted(this.#enter(holder, since, false), signal);
      this.#holders.add(this);
      if (signal !== undefined) this.#holders.delete(signal);
      return subscription;
    } catch (error) {
      if (signal?.aborted === true) this.#release(signal);
      else if (!this.#membership.wanted) this.#holders.delete(holder);
      throw error;
    }
  }

  /**
   * Subscribes on behalf of one of several parts of a page that come and go: the subscription lasts as long as one of them holds it.
   * While the client is closed `ready` rejects, but the wish stands for the next `connect()`.
   */
  hold({ since }: Pick<SubscribeOptions, 'since'> = {}): Hold {
    const holder = {};
    return { ready: this.#enter(holder, since, true), release: () => this.#release(holder) };
  }

  /**
   * `for await (const message of channel.messages())`: every message from the begin of the loop on. It subscribes if nobody has, and takes
   * that back at its end. Ends by `break`, by the signal and by `unsubscribe()`; throws when the channel is refused, put out or closed.
   */
  messages({ since, gaps, ...loop }: MessagesOptions = {}): AsyncIterableIterator<
    MessageOf<Events>,
    undefined
  > {
    return messageLoop(loop, (put, end) => {
      const offs = [this.on('message', put), this.#emitter.on('end', end)];
      if (gaps === 'throw') offs.push(this.on('gap', (gap) => end(gapError(gap))));
      const hold = this.hold(since === undefined ? {} : { since });
      hold.ready.catch(end);
      return () => {
        for (const off of offs) off();
        hold.release();
      };
    });
  }

  /** Nothing of the channel is handed on after the call; resolves when the server knows. The position is forgotten. */
  async unsubscribe(): Promise<void> {
    this.#holders.clear();
    this.#emitter.emit('end', undefined);
    const left = this.#membership.unsubscribe();
    this.#sequence.seed(undefined);
    this.#setMembers([]);
    await left;
  }

  /**
   * Resolves when the message is in the channel. While there is no connection it waits, and after a lost reply it is sent
   * again, in order and never twice. Needs no subscription.
   */
  async publish<K extends keyof Events & string>(
    event: K,
    data: Events[K],
    { key, echo, idempotencyKey = this.#host.newKey(), signal }: PublishOptions = {},
  ): Promise<Published> {
    signal?.throwIfAborted();
    const body = JSON.stringify({ channel: this.name, event, data, key, echo, idempotencyKey });
    const outcome = this.#host.publish(body, signal);
    if (echo === false) {
      this.#sequence.beginUnheard();
      // Of the outcome and not of the call: an aborted one may be in the channel.
      const end = (published?: Published): void => this.#sequence.endUnheard(published);
      outcome.then(end, () => end());
    }
    return orAborted(outcome, signal);
  }

  async history({ signal, since, limit, reverse }: HistoryOptions = {}): Promise<
    HistoryPage<MessageOf<Events>>
  > {
    signal?.throwIfAborted();
    const body = JSON.stringify({ channel: this.name, since, limit, reverse });
    const page = await orAborted(this.#host.request('history', body), signal);
    return page as HistoryPage<MessageOf<Events>>;
  }

  /** Asks who is there now, without a subscription. */
  async presence(): Promise<readonly Member[]> {
    const reply = (await this.#host.request('presence', JSON.stringify({ channel: this.name }))) as {
      members: Member[];
    };
    return reply.members;
  }

  /** @internal */
  configure({ presence }: ChannelOptions): void {
    const news = presence === true && !this.#presence;
    if (presence !== undefined) this.#presence = presence;
    if (news) this.#membership.renew();
  }

  /** @internal What a transport asks for that asks by requests. */
  get wanted(): Wanted | undefined {
    if (!this.#membership.wanted && !this.subscribed) return undefined;
    return { channel: this.name, since: this.position, presence: this.#presence };
  }

  /** @internal A session is open. */
  up(): void {
    this.#membership.up();
  }

  /** @internal The session is over. */
  down(): void {
    this.#membership.down();
    this.#sequence.interrupt();
  }

  /** @internal No session follows. */
  fail(error: TrunklineError): void {
    this.#membership.fail(error);
    this.#emitter.emit('end', error);
  }

  /** @internal A push that names this channel. */
  receive(event: string, data: unknown): void {
    if (event === 'subscribed') this.#membership.pushedIn(data as SubscribeReply);
    if (!this.subscribed) return;
    if (event === 'message') this.#sequence.accept(data as Message);
    else if (event === 'join' || event === 'leave') {
      // A session that several share may bring them without having been asked here.
      if (this.#presence) this.#memberChanged(event, data as MemberChange);
    } else if (event === 'gap') this.#sequence.told(data as Gap);
    else if (event === 'unsubscribed') {
      const { code, message } = data as { code: TrunklineErrorCode; message: string };
      this.#membership.pushedOut(new TrunklineError(code, message, { retry: isRetryable(code) }));
    }
  }

  #enter(holder: object, since: Position | undefined, standing: boolean): Promise<Subscription> {
    this.#holders.add(holder);
    if (since !== undefined && !this.subscribed) this.#sequence.seed(since);
    return this.#membership.subscribe(standing);
  }

  #release(holder: object): void {
    if (this.#holders.delete(holder) && this.#holders.size === 0) void this.unsubscribe();
  }

  #entered(subscription: Subscription, { reply, since, byServer }: Entry): void {
    if (reply.members !== undefined) this.#setMembers(reply.members);
    this.#emitter.emit('subscribed', subscription);
    // The listener may have left at once.
    if (!this.subscribed) return;
    if (byServer) this.#sequence.joined(reply);
    else this.#sequence.enter(reply, since);
  }

  /** A listener may unsubscribe in the middle of many messages: the rest is not for it any more. */
  #heard<K extends 'message' | 'gap'>(event: K, value: Emitted<Events>[K]): void {
    if (this.subscribed) this.#emitter.emit(event, value);
  }

  #memberChanged(event: 'join' | 'leave', change: MemberChange): void {
    const { member } = change;
    if (event === 'join') this.#members.set(member.user, member);
    else this.#members.delete(member.user);
    this.#emitter.emit(event, change);
    this.#emitter.emit('members', this.#members);
  }

  #setMembers(members: readonly Member[]): void {
    if (members.length === 0 && this.#members.size === 0) return;
    this.#members.clear();
    for (const member of members) this.#members.set(member.user, member);
    this.#emitter.emit('members', this.#members);
  }
}

/** What comes first, the answer or the signal. */
function orAborted<T>(answer: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (signal === undefined) return answer;
  return new Promise((resolve, reject) => {
    const abort = (): void => reject(signal.reason as Error);
    signal.addEventListener('abort', abort);
    answer.then(resolve, reject).finally(() => signal.removeEventListener('abort', abort));
  });
}

function gapError({ from, to, reason }: Gap): TrunklineError {
  return new TrunklineError('gap', `Messages ${from} to ${to} are missing: ${reason}.`);
}
