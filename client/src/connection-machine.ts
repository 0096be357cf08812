// The states of a connection and what each end of it leads to. Pure: it is told the time, and starts no timer and no socket.

import { closeAdvice } from '../../src/protocol/codes.js';
import { backoffDelay, type BackoffOptions } from './backoff.js';

/** `waiting`: a retry is planned. `closed`: nothing more happens until `connect()`. */
export type ConnectionState = 'idle' | 'connecting' | 'connected' | 'waiting' | 'closed';

export interface StateChange {
  readonly state: ConnectionState;
  /** For people: why it is so. */
  readonly reason: string;
  /** The close code that led here, if one did. 1006 stands for every end without a code. */
  readonly code?: number;
  /** Only while `waiting`, and not without a network: then the next try comes when there is one. */
  readonly retryInMs?: number;
  /** Only while `connected`: the name of the transport in use. */
  readonly transport?: string;
}

export interface MachineOptions extends BackoffOptions {
  /** Milliseconds a connection must hold before the failures before it are forgotten. */
  readonly stableAfterMs: number;
}

/** A server that drains; it is not ill, so the first try elsewhere comes sooner. */
const GOING_AWAY = 1001;

export class ConnectionMachine {
  #now: StateChange = { state: 'idle', reason: 'not started' };
  #failures = 0;
  #connectedAt: number | undefined;
  /** One return without the full wait has been used since the last stable period. Keeps `refresh` codes out of a tight loop. */
  #hurried = false;
  readonly #options: MachineOptions;

  constructor(options: MachineOptions) {
    this.#options = options;
  }

  get current(): StateChange {
    return this.#now;
  }

  /** Asked for from outside; ends a wait. */
  connect(): StateChange {
    const { state } = this.#now;
    if (state === 'connecting' || state === 'connected') return this.#now;
    if (state === 'closed') {
      this.#failures = 0;
      this.#hurried = false;
    }
    return (this.#now = {
      state: 'connecting',
      reason: state === 'waiting' ? this.#now.reason : 'asked to connect',
    });
  }

  opened(now: number, transport = 'websocket', reason = 'welcomed'): StateChange {
    this.#connectedAt = now;
    return (this.#now = { state: 'connected', reason, transport });
  }

  /** The connection, or the try to make one, has ended. `retryAfterMs` is the time the server named. */
  lost(code: number, reason: string, now: number, retryAfterMs = 0): StateChange {
    this.#settle(now);
    const advice = closeAdvice(code);
    if (advice === 'stop') return (this.#now = { state: 'closed', reason, code });
    if (!this.#hurried && (advice === 'refresh' || code === GOING_AWAY)) {
      this.#hurried = true;
      if (advice === 'refresh') return (this.#now = { state: 'connecting', reason, code });
      // Many are told at the same moment.
      return this.#wait(Math.round(this.#options.random() * this.#options.minDelayMs), reason, code);
    }
    const { random, minDelayMs } = this.#options;
    const delayMs = backoffDelay(++this.#failures, this.#options);
    // The server may name one moment to many.
    const namedMs = retryAfterMs && Math.round(retryAfterMs + random() * minDelayMs);
    return this.#wait(Math.max(delayMs, namedMs), reason, code);
  }

  /** No try is of use before the network is back. */
  pause(): StateChange {
    const { code } = this.#now;
    return (this.#now = { state: 'waiting', reason: 'offline', ...(code !== undefined && { code }) });
  }

  close(reason: string): StateChange {
    this.#connectedAt = undefined;
    return (this.#now = { state: 'closed', reason });
  }

  #wait(retryInMs: number, reason: string, code: number): StateChange {
    return (this.#now = { state: 'waiting', reason, code, retryInMs });
  }

  #settle(now: number): void {
    const held = this.#connectedAt === undefined ? 0 : now - this.#connectedAt;
    this.#connectedAt = undefined;
    if (held < this.#options.stableAfterMs) return;
    this.#failures = 0;
    this.#hurried = false;
  }
}
