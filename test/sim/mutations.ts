// Bugs that are planted into the shipped classes for a test: each is one promise forgotten. Nothing in src knows of them.

import { RedisBackplane } from '../../src/backplanes/redis/redis.backplane.js';
import { RedisLog } from '../../src/backplanes/redis/redis.log.js';
import { Backlog } from '../../src/core/backlog.js';
import { Hub } from '../../src/core/hub.js';
import type { ReadOptions } from '../../src/core/ports/backplane.js';
import { Reader } from '../../src/core/reader.js';
import { Subscriber } from '../../src/core/subscriber.js';
import { replyError } from './redis/errors.js';
import { scriptOf } from './redis/scripts/registry.js';
import { FakeRedisServer } from './redis/server.js';
import type { UndoLog } from './redis/undo.js';

/** Each call of a publication that finds the memory of Redis full. */
const FULL_EVERY = 20;
/** Milliseconds after which a stale unsubscribe is sent. */
const STALE_MS = 200;

type Method = (this: never, ...args: never[]) => unknown;

/** Puts a method in place of another; returns what takes it back. */
function replace(prototype: object, name: string, make: (before: Method) => Method): () => void {
  const methods = prototype as Record<string, Method>;
  const before = methods[name];
  if (before === undefined) throw new Error(`There is no ${name} to plant a bug into.`);
  methods[name] = make(before);
  return () => void (methods[name] = before);
}

type Called = (...args: unknown[]) => unknown;
const call = (method: Method, self: unknown, ...args: readonly unknown[]): unknown =>
  (method as unknown as Called).apply(self, [...args]);

function withoutId(since: unknown): unknown {
  return since === undefined ? undefined : { ...(since as object), id: '' };
}

/** Redis refuses now and then because its memory is full: before the script, as it does, or after its bus was told. */
function memoryIsFull(told: boolean): () => void {
  let calls = 0;
  return replace(
    FakeRedisServer.prototype,
    'script',
    (before) =>
      function (this: { undo: UndoLog }, sha: string, args: unknown): unknown {
        const full = scriptOf(sha)?.name === 'publish' && ++calls % FULL_EVERY === 0;
        const refusal = replyError("OOM command not allowed when used memory > 'maxmemory'.");
        if (full && !told) throw refusal;
        const reply = call(before, this, sha, args);
        if (!full) return reply;
        this.undo.close();
        this.undo.back(1);
        throw refusal;
      },
  );
}

/** No bug, but the weather in which `publish before append` shows. */
export const FULL_MEMORY = (): (() => void) => memoryIsFull(false);

/** Name → plants it, and returns what takes it out again. */
export const MUTATIONS: Readonly<Record<string, () => () => void>> = {
  'the id is not checked at a resume': () => {
    const undo = [
      replace(
        Subscriber.prototype,
        'subscribe',
        (before) =>
          function (this: unknown, session: unknown, request: { since: unknown }): unknown {
            return call(before, this, session, { ...request, since: withoutId(request.since) });
          },
      ),
      replace(
        Reader.prototype,
        'catchUp',
        (before) =>
          function (this: unknown, caller: unknown, channel: unknown, since: unknown): unknown {
            return call(before, this, caller, channel, withoutId(since));
          },
      ),
    ];
    return () => undo.forEach((one) => one());
  },

  'the bus is told before the log has it': () => memoryIsFull(true),

  'a bus that was away is not suspected': () => replace(Hub.prototype, 'onSuspect', () => () => {}),

  'who came or went while the bus was away is told to nobody': () =>
    replace(Hub.prototype, 'recheckPresence', () => () => Promise.resolve()),

  'an unsubscribe of a former generation is sent': () =>
    replace(
      Hub.prototype,
      'leave',
      (before) =>
        function (this: StaleHub, subscription: { channel: string }): unknown {
          const result = call(before, this, subscription);
          const { backplane, clock } = this.context;
          clock.after(STALE_MS, () => void backplane.unsubscribe(subscription.channel));
          return result;
        },
    ),

  'the log is trimmed one too early': () =>
    replace(
      RedisLog.prototype,
      'numbersOf',
      (before) =>
        function (this: unknown, history: { size: number } | undefined, ...rest: unknown[]): unknown {
          return call(before, this, history && { ...history, size: history.size - 1 }, ...rest);
        },
    ),

  'a resume over the trim edge is taken for whole': () =>
    replace(
      RedisBackplane.prototype,
      'read',
      (before) =>
        async function (this: unknown, channel: unknown, options: ReadOptions): Promise<unknown> {
          const slice = (await call(before, this, channel, options)) as {
            publications: { offset: number }[];
          };
          const [first] = slice.publications;
          // One is missing before the first: whoever compares with `<` where `<=` is right gives the rest.
          if (options.reverse || first?.offset !== options.after + 2) return slice;
          return { ...slice, publications: [{ ...first, offset: options.after + 1 }, ...slice.publications] };
        },
    ),

  'the bound of an outbox is forgotten': () => replace(Backlog.prototype, 'fits', () => () => true),
};

interface StaleHub {
  readonly context: {
    readonly backplane: { unsubscribe(channel: string): Promise<void> };
    readonly clock: { after(ms: number, run: () => void): unknown };
  };
}
