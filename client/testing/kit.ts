// What the client's tests share: a client whose clock and chance are the test's, and waiting for what it says. Not part of the package.

import { WebSocket } from 'ws';
import { Trunkline, type ConnectionState, type StateChange, type TrunklineOptions } from '../src/index.js';
import { ManualClock } from './manual-clock.js';

/** Longest wait for one state, in ms. */
const STEP_LIMIT_MS = 5000;

export interface ClientUnderTest {
  readonly trunkline: Trunkline;
  readonly clock: ManualClock;
  /** Every change of state so far. */
  readonly states: readonly StateChange[];
  /** Every `error` event so far. */
  readonly errors: readonly unknown[];
}

/** Chance is 0.5 unless given, so a delay is the middle of its range. WebSocket alone unless `transports` is given. */
export function clientFor(url: string, options: TrunklineOptions = {}): ClientUnderTest {
  const clock = new ManualClock();
  const states: StateChange[] = [];
  const errors: unknown[] = [];
  const trunkline = new Trunkline(url, {
    webSocket: WebSocket,
    transports: ['websocket'],
    clock,
    random: () => 0.5,
    ...options,
  });
  trunkline.on('state', (change) => states.push(change));
  trunkline.on('error', (error) => errors.push(error));
  return { trunkline, clock, states, errors };
}

/** The change into the state; at once when it is in it. */
export function inState(
  { trunkline, states }: ClientUnderTest,
  state: ConnectionState,
): Promise<StateChange> {
  const last = states.at(-1);
  if (last?.state === state) return Promise.resolve(last);
  return happens(`state ${state}`, (resolve) =>
    trunkline.on('state', (change) => {
      if (change.state === state) resolve(change);
    }),
  );
}

/** Resolves with what `listen` hands on; takes the listener away. */
export function happens<T>(what: string, listen: (resolve: (value: T) => void) => () => void): Promise<T> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => {
      off();
      reject(new Error(`No ${what} within ${STEP_LIMIT_MS} ms.`));
    }, STEP_LIMIT_MS);
    const off = listen((value) => {
      clearTimeout(timer);
      off();
      resolve(value);
    });
  });
}
