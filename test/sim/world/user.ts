// One user of the system: the shipped client on a page that can be loaded anew, what it wants to hear, and what it publishes.
// Knows no instance: connections are opened by whoever made it.

import { pollingTransport } from '../../../client/src/polling-transport.js';
import { sseTransport } from '../../../client/src/sse-transport.js';
import type { EnvironmentEvents } from '../../../client/src/environment.js';
import { TrunklineError } from '../../../client/src/errors.js';
import { backoffDelay } from '../../../client/src/backoff.js';
import type { TransportFactory } from '../../../client/src/transport.js';
import { Trunkline } from '../../../client/src/trunkline.js';
import type { Position } from '../../../client/src/types.js';
import type { Chance } from './chance.js';
import type { Exchange, SimRequest } from './http.js';
import { fetchOf } from './http.js';
import type { Journal } from './journal.js';
import { Track } from './journal.js';
import { ProcessClock, type Schedule } from './schedule.js';
import { CLIENT_OPTIONS, PRESENCE_CHANNEL } from './settings.js';
import { makeToken } from './tokens.js';
import { socketClass, type FakeSocket } from './web-socket.js';

export const TRANSPORTS = ['websocket', 'sse', 'polling', 'ladder'] as const;
export type TransportKind = (typeof TRANSPORTS)[number];

const BASE = 'http://sim/';
/** Milliseconds an answer to a request for a token takes, at most. */
const TOKEN_WAIT_MS = 60;
const TOKEN_LIFE_MS = { least: 4000, most: 9000 } as const;
/** Tries to publish one thing whose outcome is unknown. */
const MOST_TRIES = 4;
/** Refusals after which a publication is surely not there. */
const NOT_DONE: ReadonlySet<string> = new Set([
  'unavailable',
  'buffer_full',
  'rate_limited',
  'forbidden',
  'expired',
]);

export interface UserParts {
  readonly name: string;
  /** Several may be the same one. */
  readonly user: string;
  readonly kind: TransportKind;
  readonly schedule: Schedule;
  readonly chance: Chance;
  readonly journal: Journal;
  readonly dial: (page: Page, socket: FakeSocket, token: string | undefined) => void;
  readonly send: (page: Page, request: SimRequest, exchange: Exchange) => void;
  /** The page goes, with everything it holds open. */
  readonly onGone: (name: string, silent: boolean) => void;
}

/** One load of a page. */
export class Page {
  readonly clock: ProcessClock;
  readonly track: Track;
  readonly sockets = new Set<FakeSocket>();
  readonly sdk: Trunkline;
  environment: EnvironmentEvents | undefined;
  /** Sessions that have ended. */
  downs = 0;

  constructor(
    readonly owner: User,
    readonly number: number,
    private readonly parts: UserParts,
  ) {
    const { schedule, chance, journal, name, kind, dial, send } = parts;
    const clock = (this.clock = new ProcessClock(schedule));
    this.track = new Track(`${name}.${number}`, journal);
    const line = chance.of(`page ${number}`);
    const random = (): number => line.fraction();
    this.sdk = new Trunkline(BASE, {
      ...CLIENT_OPTIONS,
      clock,
      random,
      transports: transportsOf(kind, {
        clock,
        random,
        fetch: fetchOf(
          (...call) => send(this, ...call),
          () => clock.alive,
        ),
      }),
      webSocket: socketClass((socket, token) => {
        this.sockets.add(socket);
        dial(this, socket, token);
      }),
      token: () => this.token(line),
      environment: {
        watch: (events) => {
          this.environment = events;
          return () => (this.environment = undefined);
        },
      },
      logger: { warn: () => {} },
    });
    this.sdk.on('error', () => {});
    this.sdk.on('state', ({ state, reason, code, transport }) => {
      if (state !== 'connected') this.downs++;
      const by = transport === undefined ? '' : ` by ${transport}`;
      journal.note(`${this.track.name} ${state}${by}${code === undefined ? '' : ` ${code}`}: ${reason}`);
      if (state === 'closed') this.owner.onClosed(this);
    });
  }

  end(): void {
    this.clock.end();
    for (const socket of this.sockets) socket.forget();
    this.track.leaveAll();
  }

  private token(chance: Chance): Promise<string> {
    const { user } = this.parts;
    const lifeMs = chance.between(TOKEN_LIFE_MS.least, TOKEN_LIFE_MS.most);
    return new Promise((resolve) => {
      this.clock.after(chance.between(1, TOKEN_WAIT_MS), () =>
        resolve(makeToken(user, this.clock.now(), lifeMs)),
      );
    });
  }
}

type RestParts = Pick<Parameters<typeof sseTransport>[0], 'clock' | 'random' | 'fetch'>;

/** Those of requests are handed in as they are: the client would load their file, which takes real time. */
function transportsOf(
  kind: TransportKind,
  { clock, random, fetch }: RestParts,
): ('websocket' | TransportFactory)[] {
  const { minDelayMs, maxDelayMs, requestTimeoutMs: timeoutMs, pollSeconds } = CLIENT_OPTIONS;
  const spacingMs = (): number => backoffDelay(1, { minDelayMs, maxDelayMs, random });
  const rest = { base: BASE, clock, random, spacingMs, timeoutMs, fetch, headers: undefined };
  const sse = { name: 'sse', open: sseTransport(rest) };
  const polling = { name: 'polling', open: pollingTransport({ ...rest, pollSeconds }) };
  if (kind === 'websocket') return ['websocket'];
  if (kind === 'sse') return [sse];
  return kind === 'polling' ? [polling] : ['websocket', sse, polling];
}

export class User {
  readonly wanted = new Map<string, Position | undefined>();
  page: Page;
  /** Transports that something on the way does not let through. */
  readonly blocked = new Set<string>();
  private pages = 1;
  private readings = 0;
  private readonly chance: Chance;

  constructor(readonly parts: UserParts) {
    this.chance = parts.chance.of('user');
    this.page = new Page(this, 1, parts);
  }

  get name(): string {
    return this.parts.name;
  }

  get reader(): string {
    return this.page.track.name;
  }

  start(): void {
    this.page.sdk.connect();
  }

  subscribe(name: string, since?: Position): boolean {
    // A closed client takes no wish.
    if (this.wanted.has(name) || this.page.sdk.state === 'closed') return false;
    this.wanted.set(name, undefined);
    const { page } = this;
    const { track } = page;
    const channel = page.sdk.channel(name, { presence: name === PRESENCE_CHANNEL });
    if (!page.track.has(name) && !this.listening.has(`${page.number} ${name}`)) this.listen(page, name);
    this.seeds.set(name, since);
    channel.subscribe(since === undefined ? {} : { since }).catch((error: unknown) => {
      if (this.page !== page) return;
      this.parts.journal.note(`${track.name} is not in ${name}: ${String(error)}`);
    });
    return true;
  }

  /** The end of what the server left out last, by channel. */
  readonly leftOut = new Map<string, number>();
  private readonly listening = new Set<string>();
  private readonly seeds = new Map<string, Position | undefined>();

  private listen(page: Page, name: string): void {
    this.listening.add(`${page.number} ${name}`);
    const { track } = page;
    const channel = page.sdk.channel(name);
    // What came while a poller was entering comes after the reply that already counts it, as a last value does.
    let counted = 0;
    channel.on('subscribed', ({ epoch, offset, recovered }) => {
      counted = 0;
      if (track.has(name)) return;
      const since = this.seeds.get(name);
      if (since === undefined) counted = offset;
      if (since !== undefined && recovered) track.begin(name, since.epoch, since.offset);
      else track.begin(name, epoch, offset);
    });
    // What the server left out on purpose is told, and the channel itself goes on where it was: a resume may still bring it.
    channel.on('gap', (gap) => {
      const { position } = channel;
      const at = position?.epoch === gap.epoch ? position.offset : undefined;
      const left = gap.reason === 'overflow' || gap.reason === 'conflated';
      this.leftOut.set(name, left ? gap.to : 0);
      if (!left && this.parts.kind !== 'websocket') counted = at ?? 0;
      track.gap(name, gap, at);
    });
    channel.on('message', (message) => {
      const { epoch = '' } = channel.position ?? {};
      const before = (message.offset ?? 0) - 1;
      if (before >= 0 && before < counted) track.begin(name, epoch, before);
      else if (before >= 0 && before < (this.leftOut.get(name) ?? 0))
        track.begin(name, epoch, before, 'overflow');
      counted = 0;
      this.leftOut.delete(name);
      track.message(name, message, epoch);
    });
    channel.on('unsubscribed', (error) => {
      this.parts.journal.note(`${track.name} is out of ${name}: ${error.code}`);
      this.wanted.delete(name);
      track.leave(name);
    });
  }

  unsubscribe(name: string): boolean {
    if (!this.wanted.delete(name)) return false;
    const { page } = this;
    void page.sdk.channel(name).unsubscribe();
    page.track.leave(name);
    this.leftOut.delete(name);
    return true;
  }

  /** The page is loaded anew; it has kept where it stood. */
  reload(silent: boolean): void {
    const { page, parts } = this;
    const kept = new Map([...this.wanted.keys()].map((name) => [name, page.sdk.channel(name).position]));
    page.end();
    parts.onGone(parts.name, silent);
    this.wanted.clear();
    this.leftOut.clear();
    this.page = new Page(this, ++this.pages, parts);
    this.start();
    for (const [name, position] of kept) this.subscribe(name, position);
  }

  publish(op: number, c: string, keyed = `k${op}`): void {
    const { journal } = this.parts;
    const { page } = this;
    const attempt = (n: number): void => {
      const { downs } = page;
      journal.add({ k: 'invoke', op, n, c, key: keyed, t: journal.now() });
      page.sdk
        .channel(c)
        .publish('m', op, { idempotencyKey: keyed })
        .then(
          ({ epoch, offset, id, duplicate: dup }) =>
            journal.add({ k: 'ok', op, n, epoch, offset, id, dup, t: journal.now() }),
          (error: unknown) => {
            const code = error instanceof TrunklineError ? error.code : String(error);
            // Over two sessions the first may have done it and the second refused it.
            const sure = NOT_DONE.has(code) && downs === page.downs;
            journal.add({ k: sure ? 'fail' : 'unknown', op, n, code, t: journal.now() });
            if (!sure && n < MOST_TRIES && this.page === page)
              page.clock.after(this.chance.between(10, 400), () => attempt(n + 1));
          },
        );
    };
    attempt(1);
  }

  history(c: string, limit: number): void {
    const { journal } = this.parts;
    const { page } = this;
    const track = new Track(`h${this.name}.${++this.readings}`, journal);
    page.sdk
      .channel(c)
      .history({ limit })
      .then(
        ({ epoch, messages }) => {
          const [first] = messages;
          if (first?.offset === undefined) return;
          track.begin(c, epoch, first.offset - 1);
          for (const message of messages) track.message(c, message, epoch);
          track.leaveAll();
        },
        () => {},
      );
  }

  presence(c: string): void {
    this.page.sdk
      .channel(c)
      .presence()
      .catch(() => {});
  }

  /** Put out for good: the user logs in again after a while. */
  onClosed(page: Page): void {
    const waitMs = this.chance.between(1000, 2500);
    page.clock.after(waitMs, () => {
      if (this.page === page && page.sdk.state === 'closed') page.sdk.connect();
    });
  }
}
