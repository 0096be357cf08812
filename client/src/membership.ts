// Being subscribed to one channel, through lost sessions, refusals and the server's own joins. Knows no message and no listener.

import { TrunklineError } from './errors.js';
import type { Ask, Outcome } from './requests.js';
import type { Cancel } from './time.js';
import type { Position, SubscribeReply, Subscription } from './types.js';

/** What a channel needs of the client. */
export interface MembershipHost {
  /** A session is open. */
  readonly live: boolean;
  /** Connects if that was never asked for; throws when the client is closed. */
  use(): void;
  ask(ask: Ask, settle: (outcome: Outcome) => void): void;
  /** After `retryAfterMs`, or after the backoff of so many failures. */
  later(failures: number, retryAfterMs: number | undefined, run: () => void): Cancel;
}

export interface MembershipOptions {
  readonly channel: string;
  readonly host: MembershipHost;
  wantsPresence(): boolean;
  since(): Position | undefined;
  entered(subscription: Subscription, entry: Entry): void;
  /** Refused or put out for good. */
  refused(error: TrunklineError): void;
}

/** How the channel was entered. */
export interface Entry {
  readonly reply: SubscribeReply;
  /** What was asked for. */
  readonly since: Position | undefined;
  readonly byServer: boolean;
}

interface Waiter {
  readonly resolve: (subscription: Subscription) => void;
  readonly reject: (error: TrunklineError) => void;
}

export class Membership {
  #wanted = false;
  #last: Subscription | undefined;
  /** Counts the tries: the answer to a former one is not heard. */
  #try = 0;
  /** A subscribe without an answer yet. */
  #asking = false;
  #failures = 0;
  #cancelRetry: Cancel | undefined;
  #waiters: Waiter[] = [];
  readonly #options: MembershipOptions;

  constructor(options: MembershipOptions) {
    this.#options = options;
  }

  get joined(): boolean {
    return this.#last !== undefined;
  }

  /** It is asked for at the next chance. */
  get wanted(): boolean {
    return this.#wanted;
  }

  /** `standing`: wanted even if the client is closed now. */
  subscribe(standing: boolean): Promise<Subscription> {
    return new Promise((resolve, reject) => {
      this.#wanted ||= standing;
      this.#options.host.use();
      this.#wanted = true;
      if (this.#last !== undefined) return resolve(this.#last);
      this.#waiters.push({ resolve, reject });
      if (this.#options.host.live && !this.#asking && this.#cancelRetry === undefined) this.#join();
    });
  }

  unsubscribe(): Promise<void> {
    const known = this.joined || this.#asking;
    this.#wanted = false;
    this.#reset();
    this.#rejectWaiters(new TrunklineError('cancelled', `Unsubscribed from ${this.#options.channel}.`));
    if (!known || !this.#options.host.live) return Promise.resolve();
    return new Promise((resolve) => this.#leave(resolve));
  }

  /** Out and in again, to be given what was not asked for the first time. */
  renew(): void {
    if (!this.joined && !this.#asking) return;
    this.#reset();
    this.#leave(() => {});
    this.#join();
  }

  up(): void {
    if (this.#wanted) this.#join();
  }

  down(): void {
    this.#reset();
  }

  /** The client has closed. A later `connect()` subscribes again. */
  fail(error: TrunklineError): void {
    this.#rejectWaiters(error);
  }

  /** The server joined this session by itself. */
  pushedIn(reply: SubscribeReply): void {
    if (!this.#wanted) return this.#enter({ reply, since: undefined, byServer: true });
    const since = this.#options.since();
    const missedNothing =
      since === undefined || (since.epoch === reply.epoch && since.offset === reply.offset);
    const enough = missedNothing && (reply.members !== undefined || !this.#options.wantsPresence());
    // Otherwise our own subscribe is on its way and will be answered `already_subscribed`.
    if (enough && !this.joined) this.#enter({ reply, since: undefined, byServer: false });
  }

  pushedOut(error: TrunklineError): void {
    if (!this.joined) return;
    this.#reset();
    if (this.#wanted && error.retry) this.#retryLater(error);
    else this.#refuse(error);
  }

  #join(): void {
    const { host, channel } = this.#options;
    const since = this.#options.since();
    const body = JSON.stringify({ channel, since, presence: this.#options.wantsPresence() || undefined });
    const attempt = ++this.#try;
    this.#asking = true;
    host.ask({ event: 'subscribe', body, repeat: false }, (outcome) => {
      if (attempt !== this.#try || (!outcome.ok && outcome.lost)) return;
      this.#asking = false;
      if (outcome.ok) this.#enter({ reply: outcome.data as SubscribeReply, since, byServer: false });
      else this.#notEntered(outcome.error);
    });
  }

  #enter(entry: Entry): void {
    this.#reset();
    this.#failures = 0;
    const { messages: _messages, members: _members, ...subscription } = entry.reply;
    this.#last = subscription;
    for (const { resolve } of this.#waiters.splice(0)) resolve(subscription);
    this.#options.entered(subscription, entry);
  }

  #notEntered(error: TrunklineError): void {
    if (error.code === 'already_subscribed') {
      // The server joined us, or a subscribe thought lost came through. Out and in again is the way to what was missed.
      this.#leave(() => {});
      if (this.#failures === 0) {
        this.#failures++;
        this.#join();
      } else this.#retryLater(error);
    } else if (error.retry) this.#retryLater(error);
    else this.#refuse(error);
  }

  #refuse(error: TrunklineError): void {
    this.#wanted = false;
    this.#rejectWaiters(error);
    this.#options.refused(error);
  }

  #retryLater({ retryAfterMs }: TrunklineError): void {
    this.#cancelRetry = this.#options.host.later(++this.#failures, retryAfterMs, () => {
      this.#cancelRetry = undefined;
      this.#join();
    });
  }

  #leave(done: () => void): void {
    const { host, channel } = this.#options;
    // Whatever the answer, nothing of the channel is heard any more; a subscribe after a refusal here finds its way.
    host.ask({ event: 'unsubscribe', body: JSON.stringify({ channel }), repeat: false }, done);
  }

  #reset(): void {
    this.#try++;
    this.#asking = false;
    this.#last = undefined;
    this.#cancelRetry?.();
    this.#cancelRetry = undefined;
  }

  #rejectWaiters(error: TrunklineError): void {
    for (const { reject } of this.#waiters.splice(0)) reject(error);
  }
}
