// The client: puts connection, requests, outbox and channels together and hands each frame to the one it is for.

import { backoffDelay, type BackoffOptions } from './backoff.js';
import { Channel, type ChannelHost, type ChannelOptions } from './channel.js';
import type { Connection, Welcome } from './connection.js';
import type { ConnectionState, StateChange } from './connection-machine.js';
import { Emitter, type Off } from './emitter.js';
import { bufferFull, errorFrom, TrunklineError } from './errors.js';
import { makeConnection } from './make-connection.js';
import { Outbox } from './outbox.js';
import { Requests } from './requests.js';
import type { TrunklineLogger, TrunklineOptions } from './options.js';
import { SYSTEM_CLOCK, SYSTEM_RANDOM, randomKey, type Cancel, type Clock, type Random } from './time.js';
import type { ServerFrame } from './transport.js';
import type { Published, PublishOptions } from './types.js';

export interface TrunklineEventMap {
  state: StateChange;
  /** What no call can report: a listener that threw, a `token()` that failed, an error frame without a request. */
  error: unknown;
  /** The server joined this client to a channel it had not asked for. Listen to it in the handler, and nothing is missed. */
  channel: Channel;
  /** An event of the application to this session alone. */
  event: { readonly event: string; readonly data: unknown };
}

const CHANNEL_PUSHES: ReadonlySet<string> = new Set([
  'message',
  'join',
  'leave',
  'gap',
  'subscribed',
  'unsubscribed',
]);

export class Trunkline {
  #welcome: Welcome | undefined;
  readonly #channels = new Map<string, Channel>();
  readonly #connection: Connection;
  readonly #requests: Requests;
  readonly #outbox: Outbox;
  readonly #emitter: Emitter<TrunklineEventMap>;
  readonly #logger: TrunklineLogger;
  readonly #clock: Clock;
  readonly #outboundLimit: number;
  readonly #backoff: BackoffOptions;
  readonly #host: ChannelHost;
  readonly #refreshes: boolean;

  /** `url`: `http://host`, `ws://host/path`, or `''` for the origin of this page. Nothing is opened before the first use. */
  constructor(url: string, options: TrunklineOptions = {}) {
    const { clock = SYSTEM_CLOCK, random = SYSTEM_RANDOM, minDelayMs = 500, maxDelayMs = 20_000 } = options;
    const { requestTimeoutMs = 10_000, outboundLimit = 256, token } = options;
    this.#clock = clock;
    this.#backoff = { minDelayMs, maxDelayMs, random };
    this.#outboundLimit = outboundLimit;
    this.#logger = options.logger ?? console;
    this.#refreshes = typeof token === 'function';
    this.#emitter = new Emitter((error) => this.#warn(error));
    this.#requests = new Requests({
      clock,
      timeoutMs: requestTimeoutMs,
      onSilence: (sentAt) => this.#connection.suspect(sentAt),
    });
    this.#outbox = new Outbox({ ...this.#backoff, clock, requests: this.#requests, limit: outboundLimit });
    this.#connection = makeConnection(
      url,
      options,
      {
        state: (change) => void this.#emitter.emit('state', change),
        up: (welcome) => this.#up(welcome),
        down: () => this.#down(),
        ended: (change) => this.#ended(change),
        frame: (frame) => this.#receive(frame),
        error: (error) => this.#report(error),
      },
      () => [...this.#channels.values()].flatMap(({ wanted = [] }) => wanted),
    );
    this.#host = this.#makeHost(random);
  }

  get state(): ConnectionState {
    return this.#connection.current.state;
  }

  /** For people: why the state is what it is. */
  get reason(): string {
    return this.#connection.current.reason;
  }

  /** Who the server says this is; undefined for a stranger and while not connected. */
  get user(): string | undefined {
    return this.#welcome?.user;
  }

  /** The server's name for this session; undefined while not connected, and with a transport that has none. */
  get session(): string | undefined {
    return this.#welcome?.session || undefined;
  }

  /** The name of the server process one is connected to, for people; undefined while not connected, and with a transport that has none. */
  get instance(): string | undefined {
    return this.#welcome?.instance;
  }

  /** The name of the transport in use; undefined while not connected. */
  get transport(): string | undefined {
    return this.#connection.current.transport;
  }

  /** Returns the function that takes the listener away again. */
  on<K extends keyof TrunklineEventMap>(event: K, listener: (value: TrunklineEventMap[K]) => void): Off {
    return this.#emitter.on(event, listener);
  }

  /** The channel of that name, the same object each time. */
  channel<Events extends object = Record<string, unknown>>(
    name: string,
    options: ChannelOptions = {},
  ): Channel<Events> {
    let channel = this.#channels.get(name);
    if (channel === undefined) this.#channels.set(name, (channel = new Channel(name, this.#host)));
    channel.configure(options);
    return channel as unknown as Channel<Events>;
  }

  /**
   * Publishes where nobody listens: `channel(name)` keeps an object for each name, this keeps nothing. For a service that writes to very many
   * channels. Otherwise as `publish` of the channel.
   */
  publish(channel: string, event: string, data: unknown, options?: PublishOptions): Promise<Published> {
    const known = this.#channels.get(channel) ?? new Channel(channel, this.#host);
    return known.publish(event, data, options);
  }

  /** Connects now. Not needed before the first use; ends a wait, and opens again after `close()` or a terminal close. */
  connect(): void {
    this.#connection.connect();
  }

  /** Ends the connection. What is waiting rejects with `closed`; channels stay subscribed for a later `connect()`. */
  close(): void {
    this.#connection.close('closed by the client');
  }

  /** An event of the application's own gateway, with its answer. Never sent twice: a lost reply is `unknown_outcome`. */
  request(event: string, data: object = {}): Promise<unknown> {
    return this.#ask(event, JSON.stringify(data), false);
  }

  #makeHost(random: Random): ChannelHost {
    const requests = this.#requests;
    return {
      get live() {
        return requests.live;
      },
      use: () => this.#use(),
      ask: (ask, settle) => requests.start(ask, settle),
      later: (failures, retryAfterMs, run) => this.#later(failures, retryAfterMs, run),
      request: (event, body) => this.#ask(event, body, true),
      publish: async (body, signal) => {
        this.#use();
        return await this.#outbox.publish(body, signal);
      },
      newKey: () => randomKey(random),
      report: (error) => this.#report(error),
    };
  }

  #use(): void {
    if (this.state === 'idle') this.connect();
    if (this.state === 'closed') throw closedError(this.#connection.current);
  }

  async #ask(event: string, body: string, repeat: boolean): Promise<unknown> {
    this.#use();
    if (!this.#requests.live && this.#requests.size >= this.#outboundLimit) {
      throw bufferFull(this.#outboundLimit);
    }
    return await new Promise((resolve, reject) => {
      this.#requests.start({ event, body, repeat }, (outcome) =>
        outcome.ok ? resolve(outcome.data) : reject(outcome.error),
      );
    });
  }

  /** A rate limit names one moment to all: spread over the shortest wait, or the same ones are refused again. */
  #later(failures: number, retryAfterMs: number | undefined, run: () => void): Cancel {
    const { random, minDelayMs } = this.#backoff;
    const delayMs =
      retryAfterMs === undefined
        ? backoffDelay(failures, this.#backoff)
        : retryAfterMs + random() * minDelayMs;
    return this.#clock.after(delayMs, run);
  }

  #up(welcome: Welcome): void {
    this.#welcome = welcome;
    const connection = this.#connection;
    const channels = [...this.#channels.values()];
    this.#requests.up((frame) => connection.send(frame));
    for (const channel of channels) channel.up();
    this.#outbox.up();
  }

  /** The outbox first: it must know of the end before its requests are settled as lost. */
  #down(): void {
    this.#welcome = undefined;
    this.#outbox.down();
    for (const channel of this.#channels.values()) channel.down();
    this.#requests.down();
  }

  #ended(change: StateChange): void {
    const error = closedError(change);
    this.#outbox.fail(error);
    this.#requests.fail(error);
    for (const channel of this.#channels.values()) channel.fail(error);
  }

  #receive(frame: ServerFrame): void {
    const { event, data } = frame;
    if (event === 'ok' || event === 'error') {
      if (!this.#requests.receive(frame) && event === 'error') this.#report(errorFrom(data));
    } else if (CHANNEL_PUSHES.has(event)) {
      this.#toChannel(event, data as { channel: string });
    } else if (event === 'welcome') {
      this.#welcome = data as Welcome;
    } else if (event === 'expiring') {
      if (this.#refreshes) void this.#refresh();
    } else if (event === 'reconnect') {
      const { afterMs, reason } = data as { afterMs: number; reason: string };
      this.#connection.moveAfter(afterMs, reason);
    } else {
      this.#emitter.emit('event', { event, data });
    }
  }

  #toChannel(event: string, data: { channel: string }): void {
    let channel = this.#channels.get(data.channel);
    if (channel === undefined && event === 'subscribed') {
      channel = this.channel(data.channel);
      this.#emitter.emit('channel', channel);
    }
    channel?.receive(event, data);
  }

  /** When it fails, the server ends the session at the token's end, and the next connect asks for a token again. */
  async #refresh(): Promise<void> {
    const session = this.session;
    try {
      const token = await this.#connection.freshToken();
      if (token === undefined || session !== this.session) return;
      await this.#ask('authenticate', JSON.stringify({ token }), false);
    } catch (error) {
      this.#report(error);
    }
  }

  #report(error: unknown): void {
    if (!this.#emitter.emit('error', error)) this.#warn(error);
  }

  #warn(error: unknown): void {
    this.#logger.warn('Trunkline:', error);
  }
}

function closedError({ reason, code }: StateChange): TrunklineError {
  return new TrunklineError(
    'closed',
    `The connection is closed${code === undefined ? '' : ` (${code})`}: ${reason}.`,
  );
}
