// lua/register-2, forget-2, order-2 and revoke-3 for the fake Redis: what concerns the nodes. Knows no wire.

import { hdel, hget, hset, pexpire, sadd, srem, xaddNow, zadd, zmembers, zrem } from '../values.js';
import { number, plain } from './lua.js';
import { at, type Reply, type ScriptCall } from './script.js';

/** Names that ended, taken away in one call. */
const ENDED = 100;
const STORED = /^(\d+) (\d+)$/;

export function register({ space, keys, args }: ScriptCall): Reply {
  const added = sadd(space, at(keys, 0), args.slice(2));
  pexpire(space, at(keys, 0), number(args[1]));
  sadd(space, at(keys, 1), [at(args, 0)]);
  pexpire(space, at(keys, 1), number(args[1]));
  return added;
}

export function forget({ space, keys, args }: ScriptCall): Reply {
  if (space.has(at(keys, 0))) return 0;
  srem(space, at(keys, 1), [at(args, 0)]);
  return 1;
}

export function order({ space, keys, args, tell }: ScriptCall): Reply {
  const id = xaddNow(space, at(keys, 0), number(args[1]), ['o', at(args, 0)]);
  pexpire(space, at(keys, 0), number(args[2]));
  tell('PUBLISH', at(keys, 1), id);
  return id;
}

export function revoke(call: ScriptCall): Reply {
  const { space, keys, args, tell } = call;
  const [list, ends, bus] = [at(keys, 0), at(keys, 1), at(keys, 2)];
  const now = number(args[1]);
  for (const [name] of zmembers(space, ends)
    .filter(([, score]) => score <= now)
    .slice(0, ENDED)) {
    hdel(space, list, name);
    zrem(space, ends, name);
  }
  const told: string[] = [];
  for (let index = 2; index < args.length; index += 3) {
    const line = join(call, at(args, index), at(args, index + 1), at(args, index + 2));
    if (line !== undefined) told.push(line);
  }
  if (told.length === 0) return 0;
  const tag = hget(space, list, 'tag') ?? '';
  hset(space, list, ['tag', at(args, 0)]);
  const last = zmembers(space, ends).at(-1)?.[1] ?? 0;
  const left = number(plain(Math.max(1, last - now)));
  pexpire(space, list, left);
  pexpire(space, ends, left);
  tell('PUBLISH', bus, `${tag} ${at(args, 0)}\n${told.join('\n')}`);
  return told.length;
}

/** With the one of the same name that is there: the later moments count. Returns what is told when that changed the list. */
function join({ space, keys }: ScriptCall, name: string, since: string, until: string): string | undefined {
  const [list, ends] = [at(keys, 0), at(keys, 1)];
  const stored = hget(space, list, name);
  let [before, end] = [since, until];
  if (stored !== null) {
    const [, known, knownEnd] = STORED.exec(stored) ?? [];
    if (number(known) > number(before)) before = known as string;
    if (number(knownEnd) > number(end)) end = knownEnd as string;
  }
  const value = `${before} ${end}`;
  if (value === stored) return undefined;
  hset(space, list, [name, value]);
  zadd(space, ends, number(end), name);
  return `${value} ${name}`;
}
