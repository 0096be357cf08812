// What the components on one channel share: one hold on it, its last messages and its members. Snapshots stay the same until
// something has changed. Knows no React.

import type { Channel } from '../channel.js';
import type { Off } from '../emitter.js';
import type { TrunklineError } from '../errors.js';
import type { Trunkline } from '../trunkline.js';
import type { Hold, Member, MessageOf, Position } from '../types.js';

/** `subscribing` also while a lost connection is opened again. `refused`: for good; `error` says why. */
export type ChannelStatus = 'subscribing' | 'subscribed' | 'refused';

export interface ChannelView<Events extends object> {
  /** Oldest first. */
  readonly messages: readonly MessageOf<Events>[];
  readonly status: ChannelStatus;
  readonly error: TrunklineError | undefined;
}

export interface RetainOptions {
  readonly limit: number;
  readonly since?: Position | undefined;
}

const EMPTY_VIEW = { messages: [], status: 'subscribing', error: undefined } as const;

/** On the server, and in the browser until the first effect has run. */
export function emptyView<Events extends object>(): ChannelView<Events> {
  return EMPTY_VIEW;
}

export const NO_MEMBERS: readonly Member[] = [];

export class ChannelStore<Events extends object> {
  readonly #client: Trunkline;
  readonly #channel: Channel<Events>;
  /** One entry a component. */
  readonly #users = new Set<{ readonly changed: () => void }>();
  #hold: Hold | undefined;
  #offs: Off[] = [];
  #since: Position | undefined;
  #limit = 0;
  #messages: MessageOf<Events>[] = [];
  #error: TrunklineError | undefined;
  #subscribed = false;
  /** By limit. */
  readonly #views = new Map<number, ChannelView<Events>>();
  #members = NO_MEMBERS;

  constructor(client: Trunkline, channel: Channel<Events>) {
    this.#client = client;
    this.#channel = channel;
  }

  /** Until the function returned is called, the channel is subscribed and `changed` hears of new snapshots. */
  retain(changed: () => void, { limit, since }: RetainOptions): Off {
    const user = { changed };
    this.#users.add(user);
    this.#limit = Math.max(this.#limit, limit);
    this.#since ??= since;
    this.#settleSoon();
    return () => {
      this.#users.delete(user);
      this.#settleSoon();
    };
  }

  /** With the last `limit` messages. */
  view(limit: number): ChannelView<Events> {
    let view = this.#views.get(limit);
    if (view === undefined) {
      const messages = limit === 0 ? [] : this.#messages.slice(-limit);
      const status = this.#error !== undefined ? 'refused' : this.#subscribed ? 'subscribed' : 'subscribing';
      this.#views.set(limit, (view = { messages, status, error: this.#error }));
    }
    return view;
  }

  members(): readonly Member[] {
    return this.#members;
  }

  /**
   * After all effects of this commit: one component may leave and another come, or the same one twice in StrictMode, without the server
   * hearing of it; and who wants presence has said so before the subscribe.
   */
  #settleSoon(): void {
    queueMicrotask(() => {
      const wanted = this.#users.size > 0;
      if (wanted && this.#hold === undefined) this.#begin();
      else if (!wanted && this.#hold !== undefined) this.#end(this.#hold);
    });
  }

  #begin(): void {
    const channel = this.#channel;
    this.#offs = [
      channel.on('message', (message) => this.#took(message)),
      channel.on('members', () => this.#setMembers([...channel.members.values()])),
      channel.on('subscribed', () => this.#look()),
      channel.on('unsubscribed', (error) => this.#look(error)),
      this.#client.on('state', () => this.#look(this.#error)),
    ];
    this.#setMembers([...channel.members.values()]);
    this.#hold = channel.hold(this.#since === undefined ? {} : { since: this.#since });
    // A refusal is told by `unsubscribed`, and a closed client by its own state.
    this.#hold.ready.catch(() => {});
    this.#look();
  }

  #end(hold: Hold): void {
    for (const off of this.#offs.splice(0)) off();
    this.#hold = undefined;
    this.#limit = 0;
    this.#since = this.#error = undefined;
    this.#messages = [];
    this.#members = NO_MEMBERS;
    this.#subscribed = false;
    this.#views.clear();
    hold.release();
  }

  #took(message: MessageOf<Events>): void {
    if (this.#limit === 0) return;
    this.#messages.push(message);
    // Cut now and then: a copy at each message would cost as much as what it saves.
    if (this.#messages.length > 2 * this.#limit) this.#messages = this.#messages.slice(-this.#limit);
    for (const limit of [...this.#views.keys()]) if (limit > 0) this.#views.delete(limit);
    this.#tell();
  }

  #look(error?: TrunklineError): void {
    const { subscribed } = this.#channel;
    if (subscribed === this.#subscribed && error === this.#error) return;
    this.#subscribed = subscribed;
    this.#error = error;
    this.#views.clear();
    this.#tell();
  }

  #setMembers(next: readonly Member[]): void {
    const before = this.#members;
    const known = new Map(before.map((member) => [member.user, member]));
    // A member who is as before stays the same object, so a row that shows him need not be drawn again.
    const members = next.map((member) => {
      const old = known.get(member.user);
      return old !== undefined && same(old, member) ? old : member;
    });
    if (members.length === before.length && members.every((member, at) => member === before[at])) return;
    this.#members = members;
    this.#tell();
  }

  #tell(): void {
    for (const { changed } of [...this.#users]) changed();
  }
}

const stores = new WeakMap<object, unknown>();

/** The one store of that channel. It lives as long as the channel's own object. */
export function channelStore<Events extends object>(client: Trunkline, name: string): ChannelStore<Events> {
  const channel = client.channel<Events>(name);
  let store = stores.get(channel) as ChannelStore<Events> | undefined;
  if (store === undefined) stores.set(channel, (store = new ChannelStore(client, channel)));
  return store;
}

function same(a: Member, b: Member): boolean {
  return a === b || JSON.stringify(a) === JSON.stringify(b);
}
