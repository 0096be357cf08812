// lua/publish-n.lua for the fake Redis: publications one after another, each in one step of its own. Knows no wire.

import { isReplyError, replyError } from '../errors.js';
import { hmget, hset, pexpire, pttl, xadd } from '../values.js';
import { number, plain } from './lua.js';
import { at, type Reply, type ScriptCall } from './script.js';

const NUMBERS = /^(\d+) (\d+) (\d+) (\d+) (\d+)$/;
const ID = /^\{"i":"([^"]+)"/;
const META = ['e', 'o', 'i', 'f'];

/** Of a run of publications. */
interface Numbers {
  readonly count: number;
  readonly size: number;
  readonly ttl: number;
  readonly life: string;
  readonly window: number;
}

/** Where the keys and the arguments of one publication begin, and what became of it. */
interface Part {
  readonly k: number;
  readonly a: number;
  /** It has written something. */
  begun: boolean;
}

interface Place {
  readonly epoch: string;
  readonly offset: string;
  readonly before: string;
}

export function publish(call: ScriptCall): Reply {
  const lines: string[] = [];
  let refused = 0;
  let reason: string | undefined;
  let k = 0;
  let a = 3;
  while (a < call.args.length) {
    const numbers = numbersOf(at(call.args, a));
    a++;
    for (let n = 0; n < numbers.count; n++) {
      const part = { k, a, begun: false };
      try {
        lines.push(publishOne(call, part, numbers));
      } catch (error) {
        if (!isReplyError(error)) throw error;
        const text = error.message.replaceAll(/[\r\n]+/g, ' ');
        if (!part.begun && (reason === undefined || reason === text)) {
          reason = text;
          refused++;
        }
        lines.push((part.begun ? '?' : '!') + text);
      }
      k += numbers.window > 0 ? 4 : 3;
      a += 2;
    }
  }
  if (refused === lines.length) throw replyError(reason ?? '');
  return lines.join('\n');
}

function numbersOf(text: string): Numbers {
  const [, count, size, ttl, life = '', window] = NUMBERS.exec(text) ?? [];
  return { count: number(count), size: number(size), ttl: number(ttl), life, window: number(window) };
}

function publishOne(call: ScriptCall, part: Part, numbers: Numbers): string {
  const { space, keys, args } = call;
  const { k, a } = part;
  const head = at(args, a);
  const data = at(args, a + 1);
  const { size, window } = numbers;
  if (window > 0) {
    const key = at(keys, k + 3);
    const known = space.string(key);
    if (known !== undefined) {
      if (args[2] === '1') pexpire(space, key, Math.max(1, pttl(space, key)));
      return `=${known}`;
    }
  }
  const id = ID.exec(head)?.[1];
  let place: Place = { epoch: 'none', offset: '0', before: '' };
  if (size > 0) place = append(call, part, numbers, id ?? '');
  const where = `${place.epoch} ${place.offset}`;
  if (window > 0) {
    space.putString(at(keys, k + 3), `${where} ${id ?? ''}`, space.now + window);
    part.begun = true;
  }
  call.tell(at(args, 0), at(keys, k + 2), `${where} ${place.before}\n${head}\n${data}`);
  return where;
}

function append(call: ScriptCall, part: Part, { size, ttl, life }: Numbers, id: string): Place {
  const { space, keys, args } = call;
  const { k, a } = part;
  const meta = at(keys, k);
  const stream = at(keys, k + 1);
  const [epochKnown = null, offsetKnown, idKnown, oldest = null] = hmget(space, meta, META);
  const epoch = epochKnown ?? at(args, 1);
  const top = epochKnown === null ? 0 : number(offsetKnown);
  const before = epochKnown === null ? '' : (idKnown ?? '');
  let kept = space.has(stream);
  if (top === 0 && kept) {
    space.remove(stream);
    kept = false;
  }
  const offset = plain(top + 1);
  const first = kept ? Math.max(number(oldest ?? '1'), top + 2 - size) : top + 1;
  xadd(space, stream, {
    most: size + 1,
    ms: top + 1,
    seq: 0,
    fields: ['h', at(args, a), 'd', at(args, a + 1)],
  });
  part.begun = true;
  const pairs = ['e', epoch, 'o', offset, 'i', id, 'f', plain(first), 'm', life];
  // The log had ended by its time: the id before its first entry is in no stream any more.
  if (!kept) pairs.push('a', before);
  hset(space, meta, pairs);
  pexpire(space, stream, ttl);
  pexpire(space, meta, Number(life));
  return { epoch, offset, before };
}
