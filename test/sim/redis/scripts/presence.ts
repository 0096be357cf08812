// lua/enter-4, exit-3, sweep-4 and refresh-2 for the fake Redis: who is in a channel. Knows no wire.

import { hdel, hget, hincrby, hmget, hscan, hset, pexpire } from '../values.js';
import { memberText, number, presenceOf, type PresenceText } from './lua.js';
import { at, type Reply, type ScriptCall } from './script.js';

export function enter(call: ScriptCall): Reply {
  const { space, keys, args } = call;
  if (space.has(at(keys, 3))) return -1;
  const entries = at(keys, 0);
  const counts = at(keys, 1);
  const session = at(args, 0);
  const user = at(args, 1);
  const stored = hget(space, entries, session);
  let before = stored === null ? undefined : presenceOf(stored);
  if (before !== undefined && before.u !== user) {
    hdel(space, entries, session);
    leave(call, before, at(args, 4));
    before = undefined;
  }
  if (before === undefined && !space.hash(entries)?.size) space.remove(counts);
  hset(space, entries, [session, at(args, 2)]);
  let told = 0;
  if (before === undefined && hincrby(space, counts, user, 1) === 1) {
    call.tell(at(args, 4), at(keys, 2), `>${memberText(presenceOf(at(args, 2)), 1)}`);
    told = 1;
  }
  pexpire(space, entries, number(args[3]));
  pexpire(space, counts, number(args[3]));
  return told;
}

export function exit(call: ScriptCall): Reply {
  const { space, keys, args } = call;
  const stored = hget(space, at(keys, 0), at(args, 0));
  if (stored === null) return 0;
  const entry = presenceOf(stored);
  hdel(space, at(keys, 0), at(args, 0));
  return leave(call, entry, at(args, 1));
}

export function sweep(call: ScriptCall): Reply {
  const { space, keys, args, scanPage } = call;
  if (args[1] === '0') space.putString(at(keys, 3), '1', space.now + number(args[3]));
  const { cursor, pairs } = hscan(space, at(keys, 0), at(args, 1), Math.min(500, scanPage));
  for (let index = 0; index < pairs.length; index += 2) {
    const entry = presenceOf(at(pairs, index + 1));
    if (entry.x !== args[0]) continue;
    hdel(space, at(keys, 0), at(pairs, index));
    leave(call, entry, at(args, 2));
  }
  return cursor;
}

export function refresh({ space, keys, args }: ScriptCall): Reply {
  const sessions = args.slice(2);
  const stored = hmget(space, at(keys, 0), sessions);
  const missing = sessions.filter((_, index) => {
    const entry = stored[index] ?? null;
    return entry === null || presenceOf(entry).x !== args[1];
  });
  pexpire(space, at(keys, 0), number(args[0]));
  pexpire(space, at(keys, 1), number(args[0]));
  return missing;
}

/** One entry of the user less; the leave is told with the last one. Returns 1 when it was. */
function leave({ space, keys, tell }: ScriptCall, entry: PresenceText, verb: string): number {
  if (hincrby(space, at(keys, 1), entry.u, -1) > 0) return 0;
  hdel(space, at(keys, 1), entry.u);
  tell(verb, at(keys, 2), `<${memberText(entry, 0)}`);
  return 1;
}
