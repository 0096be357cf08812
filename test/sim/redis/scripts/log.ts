// lua/read-2.lua and lua/top-n.lua for the fake Redis: parts of a channel's log and its newest position. Knows no wire.

import type { Keyspace } from '../keyspace.js';
import { hmget, hset, pexpire, pttl, xrange, xrevrange } from '../values.js';
import { bytes, number, plain } from './lua.js';
import { at, type Reply, type ScriptCall } from './script.js';

/** Entries in one command of the script. */
const PART = 200;

export function read({ space, keys, args }: ScriptCall): Reply {
  const after = number(args[0]);
  const [epoch, newest, id, first, life, previous] = hmget(space, at(keys, 0), [
    'e',
    'o',
    'i',
    'f',
    'm',
    'a',
  ]);
  if (epoch === null || epoch === undefined) return [...begin(space, keys, at(args, 3), at(args, 4)), '', []];
  pexpire(space, at(keys, 0), number(life));
  const range = { after, top: number(newest), oldest: number(first) };
  const seen = seenAt(space, at(keys, 1), range, previous ?? null);
  const want = { most: number(args[1]), down: number(args[2]) === 1, bytes: number(args[5]) };
  return [epoch, newest ?? null, id ?? null, seen, found(space, at(keys, 1), range, want)];
}

export function top({ space, keys, args }: ScriptCall): Reply {
  const lines: string[] = [];
  for (let k = 0; k < keys.length; k += 2) {
    const names = [at(keys, k), at(keys, k + 1)];
    const [epoch, newest, id, life] = hmget(space, at(names, 0), ['e', 'o', 'i', 'm']);
    if (epoch === null || epoch === undefined)
      lines.push(begin(space, names, at(args, 0), at(args, 1)).join(' '));
    else {
      if (pttl(space, at(names, 0)) < number(life) * 0.9) pexpire(space, at(names, 0), number(life));
      lines.push(`${epoch} ${newest ?? ''} ${id ?? ''}`);
    }
  }
  return lines.join('\n');
}

function begin(space: Keyspace, keys: readonly string[], epoch: string, life: string): string[] {
  space.remove(at(keys, 1));
  hset(space, at(keys, 0), ['e', epoch, 'o', '0', 'i', '', 'f', '1', 'm', life]);
  pexpire(space, at(keys, 0), number(life));
  return [epoch, '0', ''];
}

interface Range {
  readonly after: number;
  readonly top: number;
  readonly oldest: number;
}

/** The stream holds one more than the history: only its id is of use. */
function seenAt(
  space: Keyspace,
  key: string,
  { after, top: newest, oldest }: Range,
  previous: string | null,
) {
  if (!(after > 0 && after < newest && after >= oldest - 1)) return '';
  const [entry] = xrange(space, key, [idOf(after), idOf(after)]);
  if (entry !== undefined) return at(entry.fields, 1);
  // An empty text is true in Lua.
  return after === oldest - 1 && previous !== null ? `{"i":"${previous}"}` : '';
}

interface Want {
  readonly most: number;
  readonly down: boolean;
  readonly bytes: number;
}

function found(space: Keyspace, key: string, { after, top: newest, oldest }: Range, want: Want): string[] {
  const step = want.down ? -1 : 1;
  const last = want.down ? oldest : newest;
  const highest = after > 0 ? Math.min(after - 1, newest) : newest;
  let from = want.down ? highest : Math.max(after + 1, oldest);
  let wanted = want.most;
  let size = 0;
  const list: string[] = [];
  while (wanted > 0 && size < want.bytes && (last - from) * step >= 0) {
    const count = Math.min(wanted, PART);
    const part = (want.down ? xrevrange : xrange)(space, key, [idOf(from), idOf(last)], count);
    for (const { ms, fields } of part) {
      const head = at(fields, 1);
      const data = at(fields, 3);
      list.push(String(ms), head, data);
      size += bytes(head) + bytes(data);
      from = ms + step;
      if (size >= want.bytes) break;
    }
    wanted -= part.length;
    if (part.length < count) break;
  }
  return list;
}

function idOf(offset: number): string {
  return `${plain(offset)}-0`;
}
