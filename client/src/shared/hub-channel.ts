// One channel of the real session and the tabs that are in it: answers a further tab from what is known here where that is exact, and
// else leaves and joins again from the lowest position. Knows no bus and no connection.

import { TrunklineError } from '../errors.js';
import type { Outcome } from '../requests.js';
import type { GapReason } from '../../../src/protocol/publication.js';
import type { Gap, Member, Message, Position, ResumeRefusal, SubscribeReply } from '../types.js';

export interface HubChannelHost {
  /** Asks the server. Not answered when the session ends first: then this object is over, too. */
  ask(event: string, body: string, settle: (outcome: Outcome) => void): void;
  answer(tab: string, id: unknown, outcome: Outcome): void;
  /** To all tabs. Those that are not in the channel do not listen. */
  push(event: string, data: object): void;
  /** No tab is in it any more. */
  empty(): void;
}

export interface SubscribeAsk {
  readonly tab: string;
  readonly id: unknown;
  readonly since: Position | undefined;
  readonly presence: boolean;
}

interface Again {
  readonly ok: true;
  /** Where the channel stood before. */
  readonly before: Position;
  readonly reply: SubscribeReply;
}

/** Messages kept for a tab that comes back a little later than the first: after a change of leader all come at nearly the same place. */
const KEPT = 256;
/** As in a reader: the channel goes on where it was. */
const LEFT_OUT: ReadonlySet<GapReason> = new Set<GapReason>(['overflow', 'conflated']);

export class HubChannel {
  readonly #name: string;
  readonly #host: HubChannelHost;
  readonly #tabs = new Set<string>();
  /** One after the other: each may change what the next one finds. */
  readonly #jobs: ((done: () => void) => void)[] = [];
  #busy = false;
  #joined = false;
  /** The tabs in it wait for what they have missed; what is live comes with it. */
  #mending = false;
  /** The real subscription was asked for with members. */
  #presence = false;
  #recoverable = false;
  /** The channel gives its last message to who comes. */
  #replays = false;
  /** After the last message that was handed on. */
  #at: Position = { epoch: '', offset: 0, id: '' };
  #kept: Message[] = [];
  /** Just before the first one kept; undefined when unknown. */
  #floor: Position | undefined;
  #members: Map<string, Member> | undefined;

  constructor(name: string, host: HubChannelHost) {
    this.#name = name;
    this.#host = host;
  }

  subscribe(ask: SubscribeAsk): void {
    this.#do((done) => this.#subscribe(ask, done));
  }

  /** `answered` when the tab asked for it, not when it is gone. */
  leave(tab: string, answered: () => void = () => {}): void {
    this.#do((done) => {
      const last = this.#tabs.delete(tab) && this.#tabs.size === 0 && this.#joined;
      if (last) {
        this.#joined = false;
        this.#askServer('unsubscribe', {}, () => {});
      }
      answered();
      done();
    });
  }

  /** The server joined the session by itself: every tab is in. */
  pushedIn(reply: SubscribeReply, tabs: Iterable<string>): void {
    for (const tab of tabs) this.#tabs.add(tab);
    this.#enter(reply, undefined);
  }

  /** A push of the channel, before it goes to the tabs. False: it must not, since the tabs get it in another way. */
  saw(event: string, data: unknown): boolean {
    if (this.#mending && (event === 'message' || event === 'gap')) return false;
    if (event === 'message') this.#sawMessage(data as Message);
    else if (event === 'gap') this.#sawGap(data as Gap);
    else if (event === 'unsubscribed') this.#out();
    else if (event === 'join' || event === 'leave') {
      const { member } = data as { member: Member };
      if (event === 'join') this.#members?.set(member.user, member);
      else this.#members?.delete(member.user);
    }
    return true;
  }

  #do(job: (done: () => void) => void): void {
    this.#jobs.push(job);
    if (!this.#busy) this.#next();
  }

  #next(): void {
    const job = this.#jobs.shift();
    this.#busy = job !== undefined;
    if (job !== undefined) job(() => this.#next());
    else if (this.#tabs.size === 0 && !this.#joined) this.#host.empty();
  }

  #subscribe(ask: SubscribeAsk, done: () => void): void {
    const { since, presence, tab } = ask;
    if (this.#tabs.has(tab)) {
      this.#refuse(ask, new TrunklineError('already_subscribed', 'This tab is in the channel already.'));
      return done();
    }
    if (!this.#joined) return this.#join(ask, done);
    const unknown =
      since !== undefined && this.#recoverable && since.epoch === this.#at.epoch && this.#find(since) < 0;
    if (unknown || (presence && !this.#presence)) return this.#rejoin(ask, done);
    this.#serve(ask);
    done();
  }

  #join(ask: SubscribeAsk, done: () => void): void {
    const { since, presence } = ask;
    this.#askServer('subscribe', { since, presence: presence || undefined }, (outcome) => {
      if (outcome.ok) {
        this.#presence = presence;
        const reply = outcome.data as SubscribeReply;
        this.#enter(reply, since);
        this.#accept(ask, reply);
      } else if (outcome.error.code === 'already_subscribed') {
        // The server joined us meanwhile, or a leave was lost.
        return this.#joined ? this.#subscribe(ask, done) : this.#rejoin(ask, done);
      } else this.#refuse(ask, outcome.error);
      done();
    });
  }

  /** Out and in again. What the other tabs have missed by it is in the reply, and goes to them as pushes. */
  #rejoin(ask: SubscribeAsk, done: () => void): void {
    const since = this.#lowest(ask.since);
    const presence = ask.presence || this.#presence;
    this.#again(since, presence, (outcome) => {
      if (!outcome.ok) {
        this.#refuse(ask, outcome.error);
        return done();
      }
      const { before, reply } = outcome;
      if (since === undefined || since === ask.since) this.#accept(ask, reply);
      else this.#serve(ask);
      const stands = before.epoch === reply.epoch && before.offset === reply.offset;
      if (this.#tabs.size < 2 || reply.recovered || stands) done();
      else if (reply.recoverable && since === ask.since) this.#mend(before, done);
      else {
        this.#tellMissed(before, reply);
        done();
      }
    });
  }

  /** What the new tab asked for was too far back, but the others are nearer. */
  #mend(at: Position, done: () => void): void {
    this.#at = at;
    this.#mending = true;
    this.#again(at, this.#presence, (outcome) => {
      this.#mending = false;
      if (outcome.ok && !outcome.reply.recovered) this.#tellMissed(at, outcome.reply);
      done();
    });
  }

  #again(
    since: Position | undefined,
    presence: boolean,
    settle: (outcome: Again | Extract<Outcome, { ok: false }>) => void,
  ): void {
    this.#askServer('unsubscribe', {}, () => {});
    this.#askServer('subscribe', { since, presence: presence || undefined }, (outcome) => {
      if (!outcome.ok) {
        this.#lostAll(outcome.error);
        return settle(outcome);
      }
      const reply = outcome.data as SubscribeReply;
      const before = this.#at;
      this.#presence = presence;
      if (reply.recovered && this.#tabs.size > 0) this.#handOn(reply.messages, before);
      this.#enter(reply, since);
      settle({ ok: true, before, reply });
    });
  }

  /** What the tabs in the channel need and what the new one asks for, whichever is further back. */
  #lowest(asked: Position | undefined): Position | undefined {
    if (!this.#joined) return asked;
    if (!this.#recoverable) return undefined;
    return asked !== undefined && asked.epoch === this.#at.epoch && asked.offset < this.#at.offset
      ? asked
      : this.#at;
  }

  #handOn(messages: readonly Message[], after: Position): void {
    for (const message of messages)
      if (message.offset !== undefined && message.offset > after.offset) this.#host.push('message', message);
  }

  /** The server could not give what the tabs in the channel have missed. */
  #tellMissed(before: Position, reply: SubscribeReply): void {
    const { epoch, offset, recoverable, reason = 'lost' } = reply;
    if (!recoverable) {
      const last = reply.messages.at(-1);
      if (last !== undefined && last.id !== before.id) this.#host.push('message', last);
      return;
    }
    const known = epoch === before.epoch && offset > before.offset;
    const [from, to] = known ? [before.offset + 1, offset] : [0, 0];
    const count = known ? offset - before.offset : 0;
    const gap: Gap = { channel: this.#name, epoch, from, to, count, reason };
    this.#host.push('gap', gap);
  }

  #enter(reply: SubscribeReply, asked: Position | undefined): void {
    const { epoch, offset, id, recoverable, recovered, messages, members } = reply;
    this.#joined = true;
    this.#recoverable = recoverable;
    this.#at = { epoch, offset, id };
    this.#kept = messages.slice(-KEPT);
    this.#floor = undefined;
    if (messages.length === 0) this.#floor = this.#at;
    else if (recovered && messages.length <= KEPT) this.#floor = asked;
    if (asked === undefined) this.#replays = messages.length > 0;
    if (members !== undefined) this.#members = new Map(members.map((member) => [member.user, member]));
  }

  /** With the answer of the server itself. */
  #accept(ask: SubscribeAsk, { members, ...reply }: SubscribeReply): void {
    this.#tabs.add(ask.tab);
    const data = ask.presence && members !== undefined ? { ...reply, members } : reply;
    this.#host.answer(ask.tab, ask.id, { ok: true, data });
  }

  /** With an answer made here, as the server would at this moment. */
  #serve({ tab, id, since, presence }: SubscribeAsk): void {
    const found = since === undefined ? -1 : this.#find(since);
    const recovered = found >= 0;
    const replayed = since === undefined && this.#replays ? this.#kept.slice(-1) : [];
    const reason = since === undefined || recovered ? undefined : this.#refusal(since);
    const members = presence && this.#members !== undefined ? [...this.#members.values()] : undefined;
    this.#tabs.add(tab);
    this.#host.answer(tab, id, {
      ok: true,
      data: {
        channel: this.#name,
        ...this.#at,
        recoverable: this.#recoverable,
        recovered,
        messages: recovered ? this.#kept.slice(found) : replayed,
        ...(reason !== undefined && { reason }),
        ...(members !== undefined && { members }),
      },
    });
  }

  #refusal({ epoch, offset }: Position): ResumeRefusal {
    if (!this.#recoverable) return 'expired';
    if (epoch !== this.#at.epoch) return 'epoch_changed';
    return offset > this.#at.offset ? 'ahead' : 'id_mismatch';
  }

  /** Index of the first message kept after a position; −1 when that cannot be told. */
  #find(since: Position): number {
    const is = ({ offset, id }: { offset?: number; id: string }): boolean =>
      offset === since.offset && id === since.id;
    if (since.epoch !== this.#at.epoch || !this.#recoverable) return -1;
    if (is(this.#at)) return this.#kept.length;
    if (this.#floor !== undefined && is(this.#floor)) return 0;
    const index = this.#kept.findIndex(is);
    return index < 0 ? -1 : index + 1;
  }

  #sawMessage(message: Message): void {
    const { offset, id } = message;
    if (offset === undefined) return;
    this.#at = { epoch: this.#at.epoch, offset, id };
    this.#kept.push(message);
    if (this.#kept.length <= KEPT) return;
    const first = this.#kept.shift();
    if (first?.offset !== undefined)
      this.#floor = { epoch: this.#at.epoch, offset: first.offset, id: first.id };
  }

  #sawGap({ epoch, to, reason }: Gap): void {
    this.#kept = [];
    this.#floor = undefined;
    if (epoch !== this.#at.epoch || (to > this.#at.offset && !LEFT_OUT.has(reason)))
      this.#at = { epoch, offset: to, id: '' };
  }

  /** The way back in was refused: for the tabs it is as if the server had put them out. */
  #lostAll({ code, message }: TrunklineError): void {
    const others = this.#tabs.size > 0;
    this.#out();
    if (others) this.#host.push('unsubscribed', { channel: this.#name, code, message });
  }

  #out(): void {
    this.#tabs.clear();
    this.#joined = this.#presence = false;
    this.#members = undefined;
    this.#kept = [];
    this.#floor = undefined;
    if (!this.#busy) this.#host.empty();
  }

  #refuse({ tab, id }: SubscribeAsk, error: TrunklineError): void {
    this.#host.answer(tab, id, { ok: false, error, lost: false });
  }

  #askServer(event: string, more: object, settle: (outcome: Outcome) => void): void {
    this.#host.ask(event, JSON.stringify({ channel: this.#name, ...more }), (outcome) => {
      // Lost with the session: every tab is told that, and this object is not used again.
      if (outcome.ok || !outcome.lost) settle(outcome);
    });
  }
}
