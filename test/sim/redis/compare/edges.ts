// Sequences that chance hardly finds: edges of the scripts at which Lua and JavaScript could differ. Knows no reply.

import { command, keys, publishStep, script, type Publication, type Step } from './steps.js';

const one = (channel: string, id: string): Publication => ({
  channel,
  key: '',
  id,
  event: 'e',
  data: 'd',
  size: 3,
  ttl: '600000',
});

const position = (channel: string, offset: number, id: string): Step =>
  command('hset', keys.meta(channel), 'e', 'epoch', 'o', offset, 'i', id, 'f', 1, 'm', 600_000);

const publish = (...parts: readonly Publication[]): Step => publishStep(parts, 'epoch', '0');

const read = (channel: string, after: number): Step =>
  script('read', [keys.meta(channel), keys.stream(channel)], [after, 10, 0, 'epoch', 600_000, 1000]);

export const EDGES: readonly (readonly Step[])[] = [
  // The id before a log that began anew is an empty text, which is true in Lua.
  [position('a', 99, ''), publish(one('a', 'x'), one('a', 'y')), read('a', 99), read('a', 98)],
  // All of a group are refused, for two reasons: then each is told its own.
  [
    command('set', keys.stream('a'), 'no stream', 'PX', 600_000),
    position('a', 5, 'i'),
    publish(one('b', '1'), one('b', '2'), one('b', '3')),
    position('b', 1, 'i'),
    publish(one('a', 'x'), one('b', 'y'), one('a', 'z')),
  ],
  // A log of many parts: more entries than one command of the script reads.
  [
    ...Array.from({ length: 5 }, (_, part) =>
      publish(...Array.from({ length: 50 }, (__, n) => ({ ...one('a', `${part}.${n}`), size: 1000 }))),
    ),
    script('read', [keys.meta('a'), keys.stream('a')], [0, 300, 0, 'epoch', 600_000, 1_000_000]),
    script('read', [keys.meta('a'), keys.stream('a')], [0, 240, 1, 'epoch', 600_000, 1_000_000]),
    script('read', [keys.meta('a'), keys.stream('a')], [240, 201, 1, 'epoch', 600_000, 1_000_000]),
  ],
];
