// The messages of a channel as something to loop over: holds what the loop has not taken yet, up to a bound. Knows no channel.

import type { Off } from './emitter.js';
import { TrunklineError } from './errors.js';

export interface LoopOptions {
  /** Ends the loop, quietly. What waits for it is dropped. */
  readonly signal?: AbortSignal;
  /** Messages that may wait for the loop. One more ends it with `too_slow`, after those that wait. Default 1024. */
  readonly limit?: number;
}

/** Ends the loop after what waits: quietly, or with an error. */
export type EndLoop = (error?: unknown) => void;

type Result<M> = IteratorResult<M, undefined>;

const DONE = { done: true, value: undefined } as const;

/** `begin` starts the listening and returns what ends it. Called at the first `next()`, so a loop that never begins leaves nothing behind. */
export function messageLoop<M>(
  { limit = 1024, signal }: LoopOptions,
  begin: (put: (message: M) => void, end: EndLoop) => Off,
): AsyncIterableIterator<M, undefined> {
  const buffer: M[] = [];
  const waiting: ((result: Result<M> | Promise<never>) => void)[] = [];
  let begun = false;
  let over = false;
  let failure: unknown;
  let stop: Off | undefined;

  const take = (): Result<M> | Promise<never> => {
    if (buffer.length > 0) return { done: false, value: buffer.shift() as M };
    const error = failure;
    failure = undefined;
    return error === undefined ? DONE : Promise.reject(error);
  };
  const serve = (): void => {
    const ready = over ? waiting.length : Math.min(waiting.length, buffer.length);
    for (const resolve of waiting.splice(0, ready)) resolve(take());
  };
  const end = (error?: unknown): void => {
    if (over) return;
    over = true;
    failure = error;
    signal?.removeEventListener('abort', quit);
    stop?.();
    serve();
  };
  const quit = (): void => {
    buffer.length = 0;
    failure = undefined;
    end();
  };
  const put = (message: M): void => {
    if (over) return;
    if (waiting.length === 0 && buffer.length >= limit)
      return end(new TrunklineError('too_slow', `The loop is ${limit} messages behind.`));
    buffer.push(message);
    serve();
  };
  const start = (): void => {
    begun = true;
    if (signal?.aborted === true) return end();
    signal?.addEventListener('abort', quit);
    stop = begin(put, end);
    // It may have ended while it began.
    if (over) stop();
  };
  return {
    next() {
      if (!begun) start();
      return new Promise((resolve) => {
        waiting.push(resolve);
        serve();
      });
    },
    return() {
      begun = true;
      quit();
      return Promise.resolve(DONE);
    },
    [Symbol.asyncIterator]() {
      return this;
    },
  };
}
