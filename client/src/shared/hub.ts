// What the leading tab does for all: holds the real session, gives each tab a session of its own on it, and tells who gets what.
// Knows no lock and no page.

import type { Connection, Welcome } from '../connection.js';
import type { StateChange } from '../connection-machine.js';
import type { Off } from '../emitter.js';
import { makeConnection } from '../make-connection.js';
import type { TrunklineOptions } from '../options.js';
import { Requests, type Outcome } from '../requests.js';
import { SYSTEM_CLOCK } from '../time.js';
import type { ClientFrame, ServerFrame } from '../transport.js';
import type { SubscribeReply } from '../types.js';
import type { FromTab, HubBus } from './bus.js';
import { HubChannel } from './hub-channel.js';
import { MOVED } from './tab-session.js';

export interface HubOptions {
  readonly id: string;
  readonly url: string;
  readonly bus: HubBus;
  /** Of the real connection. */
  readonly connection: TrunklineOptions;
  /** Runs once when the tab is gone. */
  whenGone(tab: string, run: () => void): Off;
}

/** Every end that has no code of its own. */
const NO_CODE = 1006;

export class Hub {
  /** The tabs with a session here, and what stops watching them. */
  readonly #tabs = new Map<string, Off>();
  /** Of these, the ones that were welcomed. */
  readonly #open = new Set<string>();
  readonly #channels = new Map<string, HubChannel>();
  #welcome: Welcome | undefined;
  readonly #connection: Connection;
  readonly #requests: Requests;
  readonly #unlisten: Off;
  readonly #options: HubOptions;

  constructor(options: HubOptions) {
    this.#options = options;
    const { bus, id, url } = options;
    const { clock = SYSTEM_CLOCK, requestTimeoutMs = 10_000 } = options.connection;
    this.#requests = new Requests({
      clock,
      timeoutMs: requestTimeoutMs,
      onSilence: (sentAt) => this.#connection.suspect(sentAt),
    });
    this.#connection = makeConnection(
      url,
      options.connection,
      {
        state: (change) => this.#changed(change),
        up: (welcome) => this.#up(welcome),
        down: () => this.#down(),
        ended: () => {},
        frame: (frame) => this.#receive(frame),
        error: (error) => this.#warn(error),
      },
      // The tabs subscribe when they are welcomed.
      () => [],
    );
    this.#unlisten = bus.listen((message) => this.#hear(message));
    bus.post({ kind: 'here', hub: id });
  }

  /** The tabs come again to whoever leads next. */
  close(): void {
    this.#unlisten();
    this.#endAll(this.#tabs.keys(), MOVED, 'the leading tab has left');
    this.#connection.close('another tab leads');
    this.#options.bus.close();
  }

  #hear(message: FromTab): void {
    const { tab } = message;
    if (message.kind === 'hello') this.#hello(tab);
    else if (message.hub === this.#options.id && this.#open.has(tab)) this.#ask(tab, message.frame);
  }

  #hello(tab: string): void {
    if (this.#tabs.has(tab)) return;
    const options = this.#options;
    this.#tabs.set(
      tab,
      options.whenGone(tab, () => this.#gone(tab)),
    );
    options.bus.post({ kind: 'heard', hub: options.id, tab });
    const { state, reason } = this.#connection.current;
    if (this.#welcome !== undefined) this.#admit(tab, this.#welcome);
    else if (state === 'waiting') this.#endAll([tab], NO_CODE, reason);
    else this.#connection.connect();
  }

  #admit(tab: string, welcome: Welcome): void {
    this.#open.add(tab);
    this.#frame({ event: 'welcome', data: welcome }, tab);
  }

  #gone(tab: string): void {
    this.#tabs.get(tab)?.();
    this.#tabs.delete(tab);
    if (this.#open.delete(tab)) for (const channel of [...this.#channels.values()]) channel.leave(tab);
  }

  #ask(tab: string, { event, id, body }: ClientFrame): void {
    if (event === 'ping') return this.#answer(tab, id, { ok: true, data: {} });
    if (event !== 'subscribe' && event !== 'unsubscribe') {
      return this.#requests.start({ event, body, repeat: false }, (outcome) =>
        this.#answer(tab, id, outcome),
      );
    }
    const {
      channel,
      since,
      presence = false,
    } = JSON.parse(body) as {
      channel: string;
      since?: SubscribeReply;
      presence?: boolean;
    };
    if (event === 'subscribe') this.#channel(channel).subscribe({ tab, id, since, presence });
    else {
      const left = (): void => this.#answer(tab, id, { ok: true, data: { channel } });
      const known = this.#channels.get(channel);
      if (known === undefined) left();
      else known.leave(tab, left);
    }
  }

  #channel(name: string): HubChannel {
    let channel = this.#channels.get(name);
    if (channel !== undefined) return channel;
    channel = new HubChannel(name, {
      ask: (event, body, settle) => this.#requests.start({ event, body, repeat: false }, settle),
      answer: (tab, id, outcome) => this.#answer(tab, id, outcome),
      push: (event, data) => this.#frame({ event, data }),
      empty: () => {
        if (this.#channels.get(name) === channel) this.#channels.delete(name);
      },
    });
    this.#channels.set(name, channel);
    return channel;
  }

  #answer(tab: string, id: unknown, outcome: Outcome): void {
    if (!this.#open.has(tab) || (!outcome.ok && outcome.lost)) return;
    const frameId = id as ClientFrame['id'];
    if (outcome.ok) return this.#frame({ event: 'ok', id: frameId, data: outcome.data }, tab);
    const { code, message, retry, retryAfterMs, details } = outcome.error;
    this.#frame({ event: 'error', id: frameId, data: { code, message, retry, retryAfterMs, details } }, tab);
  }

  #frame(frame: ServerFrame, tab?: string): void {
    const { bus, id } = this.#options;
    bus.post({ kind: 'frame', hub: id, frame, ...(tab !== undefined && { tab }) });
  }

  #endAll(tabs: Iterable<string>, code: number, reason: string): void {
    const { bus, id } = this.#options;
    for (const tab of [...tabs]) {
      this.#gone(tab);
      bus.post({ kind: 'end', hub: id, tab, code, reason });
    }
  }

  #up(welcome: Welcome): void {
    // Still open: the session moved to a better transport without a word between.
    this.#endAll(this.#open, MOVED, 'the session has moved');
    this.#welcome = welcome;
    this.#requests.up((frame) => this.#connection.send(frame));
    for (const tab of this.#tabs.keys()) this.#admit(tab, welcome);
    this.#options.bus.post({ kind: 'up', hub: this.#options.id });
  }

  #down(): void {
    this.#welcome = undefined;
    this.#channels.clear();
    this.#requests.down();
  }

  #changed({ state, code = NO_CODE, reason }: StateChange): void {
    // Who was not welcomed yet may wait for a try that follows at once.
    if (state === 'connecting') this.#endAll(this.#open, code, reason);
    else if (state !== 'connected') this.#endAll(this.#tabs.keys(), code, reason);
  }

  #receive(frame: ServerFrame): void {
    const { event, data } = frame;
    if ((event === 'ok' || event === 'error') && this.#requests.receive(frame)) return;
    if (event === 'expiring') return this.#refresh();
    if (event === 'reconnect') {
      const { afterMs, reason } = data as { afterMs: number; reason: string };
      return this.#connection.moveAfter(afterMs, reason);
    }
    if (event === 'welcome') this.#welcome = data as Welcome;
    const { channel } = (data ?? {}) as { channel?: string };
    if (event === 'subscribed' && channel !== undefined)
      this.#channel(channel).pushedIn(data as SubscribeReply, this.#open);
    else if (channel !== undefined && this.#channels.get(channel)?.saw(event, data) === false) return;
    this.#frame(frame);
  }

  #refresh(): void {
    if (typeof this.#options.connection.token !== 'function') return;
    const session = this.#welcome;
    this.#connection.freshToken().then(
      (token) => {
        if (token === undefined || session === undefined || session !== this.#welcome) return;
        const body = JSON.stringify({ token });
        this.#requests.start({ event: 'authenticate', body, repeat: false }, (outcome) => {
          if (!outcome.ok) this.#warn(outcome.error);
        });
      },
      (error: unknown) => this.#warn(error),
    );
  }

  #warn(error: unknown): void {
    const { logger = console } = this.#options.connection;
    logger.warn('Trunkline:', error);
  }
}
