// Drives the state machine with transports, a clock and tokens: one live transport at most, and beside a lesser one now and then
// a try with a better one. Knows no channel and no request.

import type { ConnectionMachine, StateChange } from './connection-machine.js';
import type { Environment } from './environment.js';
import { Heartbeat } from './heartbeat.js';
import type { Ladder } from './ladder.js';
import type { Cancel, Clock, Random } from './time.js';
import type { ClientFrame, ServerFrame, Transport, TransportFactory, Wanted } from './transport.js';

export type TokenSource = string | (() => string | Promise<string>);

/** Data of the `welcome` frame. */
export interface Welcome {
  /** '' on transports that have none. */
  readonly session: string;
  readonly user?: string;
  readonly heartbeatMs: number;
  readonly version: number;
  readonly instance?: string;
}

export interface ConnectionEvents {
  state(change: StateChange): void;
  /** A session is open: frames may be sent. */
  up(welcome: Welcome): void;
  /** The session is over; another may follow. */
  down(): void;
  /** No session follows until `connect()`. */
  ended(change: StateChange): void;
  frame(frame: ServerFrame): void;
  error(error: unknown): void;
}

export interface ConnectionOptions {
  readonly machine: ConnectionMachine;
  readonly clock: Clock;
  readonly random: Random;
  /** The rungs of `ladder`, the best first. */
  readonly transports: readonly TransportFactory[];
  readonly ladder: Ladder;
  readonly environment: Environment;
  readonly token: TokenSource | undefined;
  /** Milliseconds for the token, and again for handshake and welcome together. */
  readonly openTimeoutMs: number;
  readonly wanted: () => readonly Wanted[];
}

const NO_CODE = 1006;
/** What the server itself says when a session belongs elsewhere: come back at once. The server has spread the slots of a drain. */
const MOVED = 4202;
const EXPIRED = 4200;
const INVALID_TOKEN = 4002;
/** The only code below 3000 that browsers let a page send. */
const NORMAL = 1000;
/** Milliseconds a transport gets to open while there is another to try. */
const RUNG_TIMEOUT_MS = 4000;
/** Least milliseconds between two tries that the platform's events ask for. */
const SPACING_MS = 500;
/** Least milliseconds between two fresh tokens: one that is about to end as well is told of at once. */
const REFRESH_MS = 5000;

export class Connection {
  /** Counts what is opened: what a former one still says is not heard. */
  #ids = 0;
  #try = 0;
  #triedAt = -SPACING_MS;
  #transport: Transport | undefined;
  #welcomed = false;
  /** Tries in a row that ended because the token was refused. */
  #refusals = 0;
  /** Ends a wait, or a try that takes too long. */
  #cancelTimer: Cancel | undefined;
  #cancelMove: Cancel | undefined;
  /** When the next fresh token may be asked for. */
  #refreshAt = 0;
  #cancelRefresh: Cancel | undefined;
  /** A better transport that is being tried beside the live one, and its id; 0 for none. */
  #better: Transport | undefined;
  #probe = 0;
  #cancelProbe: Cancel | undefined;
  /** The platform has said so, and not taken it back. */
  #offline = false;
  #unwatch: Cancel | undefined;
  readonly #heartbeat: Heartbeat;
  readonly #options: ConnectionOptions;
  readonly #events: ConnectionEvents;

  constructor(options: ConnectionOptions, events: ConnectionEvents) {
    this.#options = options;
    this.#events = events;
    this.#heartbeat = new Heartbeat(options.clock, {
      // Its id is not a request's: any frame that comes is answer enough.
      ping: () => this.send({ event: 'ping', id: 'heartbeat', body: '{}' }),
      dead: () => this.#lost('the server is silent'),
    });
  }

  get current(): StateChange {
    return this.#options.machine.current;
  }

  connect(): void {
    const before = this.current;
    const change = this.#options.machine.connect();
    if (change !== before) this.#enter(change);
  }

  close(reason: string): void {
    if (this.current.state === 'closed') return;
    this.#leave(reason);
    this.#enter(this.#options.machine.close(reason));
  }

  send(frame: ClientFrame): void {
    this.#transport?.send(frame);
  }

  /** Asks for a token as at the start of a connection. */
  async freshToken(): Promise<string | undefined> {
    const { token } = this.#options;
    const text = typeof token === 'function' ? await token() : token;
    return text === '' ? undefined : text;
  }

  /** A slot of a drain: the next connection is opened after `afterMs`, unless the server ends this one before. */
  moveAfter(afterMs: number, reason: string): void {
    this.#cancelMove?.();
    this.#cancelMove = this.#options.clock.after(afterMs, () => this.#lost(reason, MOVED));
  }

  /** A request was not answered in time. Nothing else since it was sent either: then the connection is dead, and true is returned. */
  suspect(sentAt: number): boolean {
    if (this.#heartbeat.seenAt > sentAt) return false;
    this.#lost('the server does not answer');
    return true;
  }

  #enter(change: StateChange): void {
    const attempt = this.#try;
    this.#events.state(change);
    // A listener may have asked for something else meanwhile.
    if (attempt !== this.#try || change !== this.current) return;
    const { state, retryInMs } = change;
    if (state === 'connecting') this.#open();
    if (state === 'waiting' && retryInMs !== undefined)
      this.#cancelTimer = this.#options.clock.after(retryInMs, () => this.connect());
    if (state === 'closed') {
      this.#unwatch?.();
      this.#unwatch = undefined;
      this.#offline = false;
      this.#events.ended(change);
    }
  }

  #open(): void {
    const { environment, clock, openTimeoutMs } = this.#options;
    this.#cancelTimer?.();
    this.#unwatch ??= environment.watch({
      online: () => this.#network(false),
      offline: () => this.#network(true),
      visible: () => this.#awake(),
    });
    this.#triedAt = clock.now();
    this.#limit(openTimeoutMs);
    const id = (this.#try = ++this.#ids);
    this.freshToken().then(
      (text) => this.#dial(id, text),
      (error: unknown) => {
        this.#events.error(error);
        if (id === this.#try) this.#lost('no token');
      },
    );
  }

  #limit(ms: number): void {
    this.#cancelTimer?.();
    this.#cancelTimer = this.#options.clock.after(ms, () => this.#missed('no welcome in time'));
  }

  #dial(id: number, token: string | undefined): void {
    if (id !== this.#try) return;
    const { ladder, openTimeoutMs, transports } = this.#options;
    if (ladder.hasLower) this.#limit(Math.min(openTimeoutMs, RUNG_TIMEOUT_MS));
    try {
      this.#transport = this.#start(id, ladder.rung, token);
    } catch (error) {
      this.#events.error(error);
      const reason = (error as Error).message;
      if (transports.length < 2) return this.close(reason);
      ladder.failed();
      this.#lost(reason);
    }
  }

  #start(id: number, rung: number, token: string | undefined): Transport | undefined {
    const { transports, wanted } = this.#options;
    return transports[rung]?.open(
      token,
      {
        frame: (frame) => {
          if (id === this.#try) this.#receive(frame, rung);
          else if (id === this.#probe && frame.event === 'welcome') this.#adopt(id, frame, rung);
        },
        end: (code, reason, retryAfterMs) => {
          if (id === this.#try) this.#over(code, reason, retryAfterMs);
          else if (id === this.#probe) this.#planProbe();
        },
        fault: (error) => {
          if (id === this.#try) this.#events.error(error);
        },
      },
      wanted,
    );
  }

  #receive(frame: ServerFrame, rung: number): void {
    this.#heartbeat.seen();
    if (frame.event === 'expiring') return this.#expiring(frame);
    if (frame.event !== 'welcome') return this.#events.frame(frame);
    const welcome = frame.data as Welcome;
    this.#heartbeat.start(welcome.heartbeatMs);
    if (this.#welcomed) this.#events.frame(frame);
    else this.#welcome(welcome, rung);
  }

  #expiring(frame: ServerFrame): void {
    const { clock } = this.#options;
    const waitMs = this.#refreshAt - clock.now();
    this.#cancelRefresh?.();
    if (waitMs > 0) this.#cancelRefresh = clock.after(waitMs, () => this.#expiring(frame));
    else {
      this.#refreshAt = clock.now() + REFRESH_MS;
      this.#events.frame(frame);
    }
  }

  #welcome(welcome: Welcome, rung: number): void {
    const { machine, clock, ladder, transports } = this.#options;
    this.#cancelTimer?.();
    this.#welcomed = true;
    this.#refusals = 0;
    ladder.welcomed(rung);
    const { state } = this.current;
    const reason = state === 'connected' ? 'a better transport works' : undefined;
    const change = machine.opened(clock.now(), transports[rung]?.name, reason);
    this.#events.up(welcome);
    if (change !== this.current) return;
    this.#planProbe();
    this.#events.state(change);
  }

  /** Ended by what the transport tells. */
  #over(code: number, reason: string, retryAfterMs?: number): void {
    if (this.#welcomed) return this.#lost(reason, code, retryAfterMs);
    if (code === NO_CODE) return this.#missed(reason);
    if (code !== EXPIRED) return this.#lost(reason, code, retryAfterMs);
    this.#options.ladder.refused();
    // A new token was refused like the one before: no third will do better.
    const final = this.#refusals++ > 0;
    if (final) this.#refusals = 0;
    this.#lost(reason, final ? INVALID_TOKEN : code);
  }

  /** A try without a word of the server: perhaps something on the way does not let this transport through. */
  #missed(reason: string): void {
    if (this.#transport && !this.#offline) this.#options.ladder.failed();
    this.#lost(reason);
  }

  #lost(reason: string, code = NO_CODE, retryAfterMs?: number): void {
    const { machine, clock } = this.#options;
    this.#leave(reason);
    const change = machine.lost(code, reason, clock.now(), retryAfterMs);
    this.#enter(change.state === 'waiting' && this.#offline ? machine.pause() : change);
  }

  /** Puts down the transport and every timer of it. */
  #leave(reason: string): void {
    this.#try = ++this.#ids;
    this.#stopProbe();
    this.#cancelTimer?.();
    this.#transport?.close(NORMAL, reason);
    this.#transport = undefined;
    this.#end();
  }

  #end(): void {
    this.#cancelMove?.();
    this.#cancelRefresh?.();
    this.#heartbeat.stop();
    if (!this.#welcomed) return;
    this.#welcomed = false;
    this.#events.down();
  }

  #network(offline: boolean): void {
    this.#offline = offline;
    const connected = this.current.state === 'connected';
    if (offline && !connected) {
      this.#leave('offline');
      return this.#enter(this.#options.machine.pause());
    }
    this.#awake();
    if (connected && !offline) this.#planProbe(true);
  }

  /** What was true before may not be any more: a connection proves itself, a wait ends. */
  #awake(): void {
    const { clock } = this.#options;
    if (this.current.state !== 'waiting' || this.#offline) return this.#heartbeat.ask();
    this.#cancelTimer?.();
    const leftMs = this.#triedAt + SPACING_MS - clock.now();
    if (leftMs > 0) this.#cancelTimer = clock.after(leftMs, () => this.connect());
    else this.connect();
  }

  #planProbe(soon = false): void {
    this.#stopProbe();
    const { ladder, random, clock } = this.#options;
    const delayMs = ladder.probeDelay(random, soon);
    if (delayMs !== undefined) this.#cancelProbe = clock.after(delayMs, () => this.#tryBetter());
  }

  #tryBetter(): void {
    const { ladder, clock, openTimeoutMs } = this.#options;
    const id = (this.#probe = ++this.#ids);
    this.#cancelProbe = clock.after(Math.min(openTimeoutMs, RUNG_TIMEOUT_MS), () => this.#planProbe());
    this.freshToken()
      .then((token) => {
        if (id === this.#probe) this.#better = this.#start(id, ladder.probe(), token);
      })
      .catch(() => {
        if (id === this.#probe) this.#planProbe();
      });
  }

  #stopProbe(): void {
    this.#cancelProbe?.();
    this.#probe = 0;
    this.#better?.close(NORMAL, 'not needed');
    this.#better = undefined;
  }

  /** Make before break: the session moves to the transport that was just welcomed, and each channel resumes there. */
  #adopt(id: number, welcome: ServerFrame, rung: number): void {
    const old = this.#transport;
    this.#transport = this.#better;
    this.#better = undefined;
    this.#stopProbe();
    this.#try = id;
    this.#end();
    if (id === this.#try) this.#receive(welcome, rung);
    old?.close(NORMAL, 'moved');
  }
}
