// Drives the state machine with a transport, a clock and tokens: one live transport at most. Knows no channel and no request.

import type { ConnectionMachine, StateChange } from './connection-machine.js';
import { Heartbeat } from './heartbeat.js';
import type { Cancel, Clock } from './time.js';
import type { ClientFrame, OpenTransport, ServerFrame, Transport } from './transport.js';

export type TokenSource = string | (() => string | Promise<string>);

/** Data of the `welcome` frame. */
export interface Welcome {
  readonly session: string;
  readonly user?: string;
  readonly heartbeatMs: number;
  readonly version: number;
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
  readonly openTransport: OpenTransport;
  readonly token: TokenSource | undefined;
  /** Milliseconds for token, handshake and welcome together. */
  readonly openTimeoutMs: number;
}

const NO_CODE = 1006;
/** What the server itself says when a session belongs elsewhere: come back at once. The server has spread the slots of a drain. */
const MOVED = 4202;
/** The only code below 3000 that browsers let a page send. */
const NORMAL = 1000;

export class Connection {
  /** Counts the tries: what a former one still says is not heard. */
  #try = 0;
  #transport: Transport | undefined;
  #welcomed = false;
  /** Ends a wait, or a try that takes too long. */
  #cancelTimer: Cancel | undefined;
  #cancelMove: Cancel | undefined;
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
    if (change.state === 'connecting') this.#open();
    if (change.state === 'waiting')
      this.#cancelTimer = this.#options.clock.after(change.retryInMs ?? 0, () => this.connect());
    if (change.state === 'closed') this.#events.ended(change);
  }

  #open(): void {
    this.#cancelTimer?.();
    const attempt = ++this.#try;
    this.#cancelTimer = this.#options.clock.after(this.#options.openTimeoutMs, () =>
      this.#lost('no welcome in time'),
    );
    this.freshToken().then(
      (text) => this.#dial(attempt, text),
      (error: unknown) => {
        this.#events.error(error);
        if (attempt === this.#try) this.#lost('no token');
      },
    );
  }

  #dial(attempt: number, token: string | undefined): void {
    if (attempt !== this.#try) return;
    try {
      this.#transport = this.#options.openTransport(token, {
        frame: (frame) => {
          if (attempt === this.#try) this.#receive(frame);
        },
        end: (code, reason) => {
          if (attempt === this.#try) this.#lost(reason, code);
        },
        fault: (error) => this.#events.error(error),
      });
    } catch (error) {
      this.#events.error(error);
      this.close(error instanceof Error ? error.message : 'the transport does not work here');
    }
  }

  #receive(frame: ServerFrame): void {
    this.#heartbeat.seen();
    if (frame.event === 'welcome' && !this.#welcomed) this.#welcome(frame.data as Welcome);
    else this.#events.frame(frame);
  }

  #welcome(welcome: Welcome): void {
    const { machine, clock } = this.#options;
    this.#cancelTimer?.();
    this.#welcomed = true;
    this.#heartbeat.start(welcome.heartbeatMs);
    const change = machine.opened(clock.now());
    this.#events.up(welcome);
    if (change === this.current) this.#events.state(change);
  }

  #lost(reason: string, code = NO_CODE): void {
    this.#leave(reason);
    this.#enter(this.#options.machine.lost(code, reason, this.#options.clock.now()));
  }

  /** Puts down the transport and every timer of it. */
  #leave(reason: string): void {
    this.#try++;
    this.#cancelTimer?.();
    this.#cancelMove?.();
    this.#cancelTimer = this.#cancelMove = undefined;
    this.#heartbeat.stop();
    this.#transport?.close(NORMAL, reason);
    this.#transport = undefined;
    if (!this.#welcomed) return;
    this.#welcomed = false;
    this.#events.down();
  }
}
