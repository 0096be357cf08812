// Long polling as a transport: one request after another, each from where the answer before it ended. What it shares with
// server-sent events is in rest.ts; it knows no listener and no state of the connection.

import { claimsOf } from './claims.js';
import { problemOf, type Problem, type RestOptions, type RestStart } from './rest-calls.js';
import { RestTransport, type Entered, type Lines } from './rest.js';
import type { Cancel } from './time.js';
import type { OpenTransport } from './transport.js';
import type { Gap, Member, Message, Position, ResumeRefusal } from './types.js';

export interface PollingOptions extends RestOptions {
  /** Seconds a poll may wait for something new. 0: short polls, one or two a second. */
  readonly pollSeconds: number;
}

interface Answer {
  readonly messages: readonly (Message & { readonly type: string })[];
  readonly cursor: string;
  readonly gaps?: readonly Gap[];
}

/** Milliseconds between the starts of two polls: at most ten a second. */
const SHORTEST_MS = 100;
/** An answer without news that came sooner has not waited, so it is not asked again at once. */
const WAITED_MS = 1000;
/** Milliseconds between two looks at the members, less up to a fifth. */
const MEMBERS_MS = 10_000;
/** A token is renewed so many milliseconds before its end, as other transports are told to. */
const EXPIRING_MS = 30_000;
/** Epoch of channels that keep nothing. */
const NO_EPOCH = 'none';

export function pollingTransport(options: PollingOptions): OpenTransport {
  return (token, events, wanted) =>
    new PollingTransport({ options, token, events, wanted }, options.pollSeconds);
}

class PollingTransport extends RestTransport {
  /** Where each channel was handed on to. */
  #at = new Map<string, Position>();
  #poll: AbortController | undefined;
  #askedAt = -SHORTEST_MS;
  #timers: Cancel[] = [];
  readonly #seconds: number;

  constructor(start: RestStart, seconds: number) {
    super(start);
    this.#seconds = seconds;
  }

  /** A newcomer at a place without an id may have a last value to get: asked once more before it is told where it stands. */
  protected override async enter(asked: Lines): Promise<Problem | undefined> {
    this.#halt();
    const answers: Answer[] = [];
    let cursor = this.cursor(this.#at);
    do {
      const answer = await this.#ask(asked, cursor, 0);
      if ('status' in answer) return this.#again(answer);
      answers.push(answer);
      ({ cursor } = answer);
    } while (answers.length < 2 && hasNewcomer(asked, cursor));
    const whole = {
      cursor,
      messages: answers.flatMap(({ messages }) => messages),
      gaps: answers.flatMap(({ gaps = [] }) => gaps),
    };
    const channels = await Promise.all(
      [...asked].filter(([, { joined }]) => !joined).map(([channel]) => this.#entered(channel, asked, whole)),
    );
    if (this.over) return undefined;
    // Newcomers are told by their reply. One answer after the other: a gap of the second comes after the messages of the first.
    const told = answers.map((answer) => ({
      ...answer,
      gaps: answer.gaps?.filter(({ channel }) => asked.get(channel)?.joined) ?? [],
    }));
    this.#welcome(asked, channels);
    for (const answer of told) this.#take(answer);
    this.#watchMembers();
    return this.#again();
  }

  protected override rest(): void {
    this.#halt();
    this.#welcome(new Map());
  }

  protected override alive(): undefined {}

  #welcome(asked: Lines, channels?: readonly Entered[]): void {
    const { sub: user, exp = 0 } = claimsOf(this.token) ?? {};
    this.ready(asked, { user, heartbeatMs: (this.#seconds + 5) * 1000 }, channels);
    // Nothing tells a poller that its token is about to end. A short-lived one gets half its time.
    const expiresAt = exp * 1000;
    const leftMs = expiresAt - Date.now();
    const delayMs = Math.max(leftMs - EXPIRING_MS, Math.min(leftMs / 2, 5000), 500);
    if (leftMs > 0) this.#later(delayMs, () => this.tell('expiring', { expiresAt }));
  }

  /** What has begun is not handed on, and what is planned is not done. */
  #halt(): void {
    this.#poll?.abort();
    for (const cancel of this.#timers.splice(0)) cancel();
  }

  #later(ms: number, run: () => void): void {
    this.#timers.push(this.pause(ms, run));
  }

  #again(problem?: Problem, delayMs = 0): Problem | undefined {
    this.#later(delayMs, () => void this.#loop());
    return problem;
  }

  async #loop(): Promise<void> {
    const { clock, spacingMs } = this.options;
    const startedAt = clock.now();
    const asked = new Map(this.lines);
    const poll = this.#ask(asked, this.cursor(this.#at), this.#seconds);
    const mine = this.#poll;
    try {
      const answer = await poll;
      // An own copy can be told from others only when the publish has its answer.
      await this.unheard;
      if (mine?.signal.aborted || this.over) return;
      this.reply();
      let worth = false;
      if ('status' in answer) {
        if (!this.turnDown(answer)) return this.stop(answer);
      } else {
        worth = answer.messages.length > 0 || clock.now() - startedAt >= WAITED_MS;
        this.#take(answer);
      }
      this.#again(undefined, worth ? 0 : spacingMs());
    } catch (error) {
      if (!mine?.signal.aborted) this.fail(error);
    }
  }

  /** Resolves with the answer or the problem. */
  async #ask(asked: Lines, cursor: string, wait: number): Promise<Answer | Problem> {
    const { clock } = this.options;
    const abort = (this.#poll = new AbortController());
    const query = new URLSearchParams({ wait: `${wait}`, cursor });
    for (const channel of asked.keys()) query.append('channel', channel);
    const earlyMs = this.#askedAt + SHORTEST_MS - clock.now();
    if (earlyMs > 0) await new Promise<void>((resolve) => this.#later(earlyMs, resolve));
    this.#askedAt = clock.now();
    const read = (response: Response): Promise<Answer | Problem> =>
      response.status === 200 ? (response.json() as Promise<Answer>) : problemOf(response);
    return this.call(`poll?${query}`, read, { abort, waitMs: wait * 1000 });
  }

  /** Handed on, and only then the places move. */
  #take({ messages, gaps = [], cursor }: Answer): void {
    for (const gap of gaps) this.event('gap', gap);
    for (const { type, ...data } of messages) this.event(type, data);
    for (const [channel, place] of placesOf(cursor)) this.#at.set(channel, place);
  }

  async #entered(channel: string, asked: Lines, { cursor, gaps = [], messages }: Answer): Promise<Entered> {
    const { epoch = NO_EPOCH, offset = 0, id = '' } = placesOf(cursor).get(channel) ?? {};
    const gap = gaps.find((entry) => entry.channel === channel);
    const recoverable = epoch !== NO_EPOCH;
    return {
      ...{ channel, epoch, offset, id, recoverable },
      recovered: recoverable && !gap && asked.get(channel)?.since !== undefined,
      ...(gap && { reason: gap.reason as ResumeRefusal }),
      ...(await this.#members(channel)),
      replayed: messages.filter((message) => message.channel === channel).length,
    };
  }

  /** Of a channel that shows nobody, or not to us, nothing is told. */
  async #members(channel: string): Promise<{ readonly members?: Member[] }> {
    if (!this.lines.get(channel)?.presence) return {};
    return this.call(`api/channels/${encodeURIComponent(channel)}/members`, (response) =>
      response.ok ? (response.json() as Promise<{ members: Member[] }>) : {},
    );
  }

  #watchMembers(): void {
    const seen = [...this.lines].filter(([, { presence }]) => presence);
    if (seen.length === 0) return;
    this.#later(MEMBERS_MS * (1 - this.options.random() / 5), () => {
      const look = async ([channel, line]: (typeof seen)[0]): Promise<void> => {
        const { members } = await this.#members(channel);
        if (members && this.lines.get(channel) === line) this.compare(channel, members);
      };
      Promise.all(seen.map(look)).then(
        () => this.#watchMembers(),
        (error: unknown) => this.fail(error),
      );
    });
  }
}

/** At a place without an id there may be a last value to get. */
function hasNewcomer(asked: Lines, cursor: string): boolean {
  const places = placesOf(cursor);
  return [...asked].some(
    ([channel, { joined, since }]) => !joined && !since && places.get(channel)?.id === '',
  );
}

function placesOf(cursor: string): Map<string, Position> {
  return new Map(
    cursor
      .slice(2)
      .split('~')
      .map((entry) => {
        const [name = '', place = ''] = entry.split('!');
        const [epoch = '', offset, id = ''] = place.split('.');
        return [decodeURIComponent(name), { epoch, offset: Number(offset), id }];
      }),
  );
}
