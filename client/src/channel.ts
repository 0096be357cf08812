// One channel as the application sees it: events, members, publish, history. Knows no connection, only its host.

import { Emitter, type Off } from './emitter.js';
import { isRetryable, TrunklineError, type TrunklineErrorCode } from './errors.js';
import { Membership, type Entry, type MembershipHost } from './membership.js';
import { Sequence } from './sequence.js';
import type {
  Gap,
  HistoryPage,
  Member,
  Message,
  Position,
  Published,
  SubscribeReply,
  Subscription,
} from './types.js';

export interface ChannelOptions {
  /** Keep `members`, and hear `join` and `leave`. Default false. */
  readonly presence?: boolean;
}

export interface SubscribeOptions {
  /** Begin after this position, for example one kept over a reload. Default: now, or where a lost connection left off. */
  readonly since?: Position;
}

export interface PublishOptions {
  /** A newer message with the same key makes an older one worthless, where the channel conflates. */
  readonly key?: string;
  /** False: no live copy of it comes back to this client. Default true. A resume after a lost connection may still bring it. */
  readonly echo?: boolean;
  /** Default: a random one. Give your own to make a call of yours repeatable. */
  readonly idempotencyKey?: string;
}

export interface HistoryOptions {
  /** Only what came after. */
  readonly since?: Position;
  /** 1 to 300. */
  readonly limit?: number;
  /** Newest first. */
  readonly reverse?: boolean;
}

export interface MemberChange {
  readonly channel: string;
  readonly member: Member;
}

/** A message of one of the channel's events; `event` tells which, and so the type of `data`. */
export type MessageOf<Events extends object> = {
  readonly [K in keyof Events & string]: Message<Events[K]> & { readonly event: K };
}[keyof Events & string];

export interface ChannelEventMap<Events extends object> {
  /** Every publication, once, in order. */
  message: MessageOf<Events>;
  join: MemberChange;
  leave: MemberChange;
  /** After any change of `members`. */
  members: ReadonlyMap<string, Member>;
  /** Something was missed and cannot be had any more by waiting. */
  gap: Gap;
  /** At the first subscribe and after each reconnect. */
  subscribed: Subscription;
  /** Refused, or put out by the server. Not after `unsubscribe()`. */
  unsubscribed: TrunklineError;
}

export interface ChannelHost extends MembershipHost {
  request(event: string, body: string): Promise<unknown>;
  publish(body: string): Promise<Published>;
  newKey(): string;
  report(error: unknown): void;
}

export class Channel<Events extends object = Record<string, unknown>> {
  readonly name: string;
  readonly #host: ChannelHost;
  readonly #emitter: Emitter<ChannelEventMap<Events>>;
  readonly #membership: Membership;
  readonly #sequence: Sequence;
  readonly #members = new Map<string, Member>();
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
        this.#setMembers([]);
        this.#emitter.emit('unsubscribed', error);
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
  subscribe(options: SubscribeOptions = {}): Promise<Subscription> {
    if (options.since !== undefined && !this.subscribed) this.#sequence.seed(options.since);
    return this.#membership.subscribe();
  }

  /** Nothing of the channel is handed on after the call; resolves when the server knows. The position is forgotten. */
  async unsubscribe(): Promise<void> {
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
    { key, echo, idempotencyKey = this.#host.newKey() }: PublishOptions = {},
  ): Promise<Published> {
    const body = JSON.stringify({ channel: this.name, event, data, key, echo, idempotencyKey });
    if (echo !== false) return this.#host.publish(body);
    this.#sequence.beginUnheard();
    let published: Published | undefined;
    try {
      return (published = await this.#host.publish(body));
    } finally {
      this.#sequence.endUnheard(published);
    }
  }

  async history(options: HistoryOptions = {}): Promise<HistoryPage<MessageOf<Events>>> {
    const { since, limit, reverse } = options;
    const body = JSON.stringify({ channel: this.name, since, limit, reverse });
    return (await this.#host.request('history', body)) as HistoryPage<MessageOf<Events>>;
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
    if (presence !== undefined) this.#presence = presence;
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
  }

  /** @internal A push that names this channel. */
  receive(event: string, data: unknown): void {
    if (event === 'subscribed') this.#membership.pushedIn(data as SubscribeReply);
    if (!this.subscribed) return;
    if (event === 'message') this.#sequence.accept(data as Message);
    else if (event === 'join' || event === 'leave') this.#memberChanged(event, data as MemberChange);
    else if (event === 'gap') this.#sequence.told(data as Gap);
    else if (event === 'unsubscribed') {
      const { code, message } = data as { code: TrunklineErrorCode; message: string };
      this.#membership.pushedOut(new TrunklineError(code, message, { retry: isRetryable(code) }));
    }
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
  #heard<K extends 'message' | 'gap'>(event: K, value: ChannelEventMap<Events>[K]): void {
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
