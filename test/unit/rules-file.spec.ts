// The JSON file of channel rules: what is taken, and the sentence an operator gets for each thing that is not.

import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { toPolicy } from '../../src/channels/channel-options.js';
import { MAX_DURATION_MS, parseDuration } from '../../src/channels/duration.js';
import { parseRules, readRulesFile, RulesFileError } from '../../src/channels/rules-file.js';
import { DEFAULT_MAX_BYTES } from '../../src/core/policy.js';

const CONTRACT = {
  channel: 'bench:{name}',
  subscribe: 'anyone',
  publish: 'authenticated',
  presence: true,
  events: ['tick'],
  history: { size: 1000, ttl: '1h' },
  overflow: 'disconnect',
  maxBytes: 16384,
};

function parse(...rules: readonly unknown[]): ReturnType<typeof parseRules> {
  return parseRules(JSON.stringify(rules));
}

function faultsOf(text: string): string {
  try {
    parseRules(text);
  } catch (error) {
    expect(error).toBeInstanceOf(RulesFileError);
    return (error as Error).message;
  }
  return expect.fail('The rules were taken.');
}

function policyOf(rule: object) {
  const [parsed] = parse({ channel: 'a:{x}', ...rule });
  if (parsed === undefined) throw new Error('No rule came back.');
  return toPolicy(parsed);
}

describe('rules that are taken', () => {
  it('takes the rule of the documentation as it stands', () => {
    expect(parse(CONTRACT)).toEqual([CONTRACT]);
    expect(policyOf({ ...CONTRACT, channel: 'a:{x}' })).toEqual({
      subscribe: 'anyone',
      publish: 'authenticated',
      historyAccess: undefined,
      presence: true,
      events: new Set(['tick']),
      ephemeral: new Set(),
      history: { size: 1000, ttlMs: 3_600_000 },
      replayLast: false,
      overflow: 'disconnect',
      maxBytes: 16384,
    });
  });

  it('asks for a login and keeps nothing where a rule does not say', () => {
    expect(policyOf({})).toEqual({
      subscribe: 'authenticated',
      publish: 'authenticated',
      historyAccess: undefined,
      presence: false,
      events: undefined,
      ephemeral: new Set(),
      history: undefined,
      replayLast: false,
      overflow: 'disconnect',
      maxBytes: DEFAULT_MAX_BYTES,
    });
  });

  it.each(['anyone', 'authenticated', 'capability', 'backend', 'nobody'])(
    'says who may read the history only when asked to: %s',
    (subscribe) => {
      expect(policyOf({ subscribe }).historyAccess).toBeUndefined();
      expect(policyOf({ subscribe, historyAccess: 'backend' }).historyAccess).toBe('backend');
    },
  );

  it.each([
    ['an empty list', []],
    ['several families', [{ channel: 'a:{x}' }, { channel: 'b:*' }, { channel: 'c' }]],
    ['a ttl in milliseconds', [{ channel: 'a', history: { size: 1, ttl: 1 } }]],
    ['no bound of its own', [{ channel: 'a', maxBytes: 0 }]],
    ['a ticker', [{ channel: 'a', history: { size: 1, ttl: '7d' }, replayLast: true, overflow: 'conflate' }]],
    ['events that are not kept', [{ channel: 'a', events: ['message', 'typing'], ephemeral: ['typing'] }]],
    ['events that are not kept, any event allowed', [{ channel: 'a', ephemeral: ['typing'] }]],
  ])('takes %s', (_what, rules) => {
    expect(parse(...rules)).toEqual(rules);
  });

  it('takes a file that starts with a byte order mark', () => {
    expect(parseRules(`\uFEFF${JSON.stringify([CONTRACT])}`)).toEqual([CONTRACT]);
  });
});

describe('rules that are not taken', () => {
  const H = { size: 1, ttl: '1h' };
  it.each([
    ['an object for the list', { channel: 'a' }, 'The file must hold a list of rules'],
    ['a text for a rule', ['chat:*'], 'Rule 1 must be an object with a "channel".'],
    ['null for a rule', [null], 'Rule 1 must be an object with a "channel".'],
    ['a rule without a channel', [{ publish: 'anyone' }], 'Rule 1: channel must be a channel pattern'],
    ['an empty pattern', [{ channel: '' }], 'A channel pattern must not be empty.'],
    ['a star in the middle', [{ channel: 'a:*:b' }], 'Rule 1 ("a:*:b"): channel cannot be used.'],
    ['a parameter named twice', [{ channel: '{a}:{a}' }], 'names a parameter twice'],
    ['a space in a pattern', [{ channel: 'a b' }], 'which is neither text, {name} nor "*"'],
    [
      'an unknown field',
      [{ channel: 'a', pubish: 'anyone' }],
      'Rule 1 ("a") has the unknown field "pubish".',
    ],
    [
      'an unknown access',
      [{ channel: 'a', publish: 'all' }],
      'publish must be one of "anyone", "authenticated"',
    ],
    ['an unknown overflow', [{ channel: 'a', overflow: 'drop' }], 'overflow must be one of "disconnect"'],
    ['presence as text', [{ channel: 'a', presence: 'yes' }], 'presence must be true or false.'],
    ['events as text', [{ channel: 'a', events: 'tick' }], 'events must be a list of event names.'],
    ['no event at all', [{ channel: 'a', events: [] }], 'events must name at least one event'],
    ['an event with a space', [{ channel: 'a', events: ['a', 'b c'] }], 'events.1 must be an event name'],
    [
      'history as a number',
      [{ channel: 'a', history: 10 }],
      'history must be an object with "size" and "ttl"',
    ],
    ['history without ttl', [{ channel: 'a', history: { size: 1 } }], 'history.ttl must be a length of time'],
    [
      'history without size',
      [{ channel: 'a', history: { ttl: '1h' } }],
      'history.size must be a whole number',
    ],
    [
      'history of nothing',
      [{ channel: 'a', history: { ...H, size: 0 } }],
      'history.size must be a whole number',
    ],
    [
      'half a message',
      [{ channel: 'a', history: { ...H, size: 1.5 } }],
      'history.size must be a whole number',
    ],
    [
      'an unknown unit',
      [{ channel: 'a', history: { ...H, ttl: '1w' } }],
      'history.ttl must be a length of time',
    ],
    [
      'an unknown field of history',
      [{ channel: 'a', history: { ...H, max: 1 } }],
      'history has the unknown field "max"',
    ],
    ['a negative bound', [{ channel: 'a', maxBytes: -1 }], 'maxBytes must be a whole number from 0'],
    ['a last value that is not kept', [{ channel: 'a', replayLast: true }], 'replayLast needs "history"'],
    [
      'an unkept event that is not allowed',
      [{ channel: 'a', events: ['message'], ephemeral: ['typing'] }],
      'ephemeral names "typing", which "events" does not allow.',
    ],
    [
      'two rules for the same names',
      [{ channel: 'a:{x}' }, { channel: 'b' }, { channel: 'a:{y}' }],
      'Rule 3 ("a:{y}"): channel matches the same names as rule 1.',
    ],
  ])('refuses %s', (_what, rules, sentence) => {
    expect(faultsOf(JSON.stringify(rules))).toContain(sentence);
  });

  it('names every fault, one a line', () => {
    const text = JSON.stringify([
      { channel: 'a', publish: 'all', presence: 1 },
      { channel: 'b', color: 'red' },
    ]);
    expect(faultsOf(text).split('\n')).toEqual([
      'Rule 1 ("a"): publish must be one of "anyone", "authenticated", "capability", "backend", "nobody".',
      'Rule 1 ("a"): presence must be true or false.',
      'Rule 2 ("b") has the unknown field "color".',
    ]);
  });

  it('says when the text is not JSON', () => {
    expect(faultsOf('[{ channel: 1 }]')).toMatch(/^It is not JSON: /);
    expect(faultsOf('')).toMatch(/^It is not JSON: /);
  });
});

describe('the file', () => {
  it('is read from its path', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'trunkline-rules-'));
    onTestFinished(() => rm(folder, { recursive: true }));
    const file = join(folder, 'channels.json');
    await writeFile(file, JSON.stringify([CONTRACT]));
    expect(readRulesFile(file)).toEqual([CONTRACT]);
    await writeFile(file, '[{}]');
    expect(() => readRulesFile(file)).toThrow(
      `The channel rules in ${file} cannot be used.\nRule 1: channel`,
    );
  });

  it('is named when it is not there', () => {
    expect(() => readRulesFile('/no/such/rules.json')).toThrow(RulesFileError);
    expect(() => readRulesFile('/no/such/rules.json')).toThrow('/no/such/rules.json');
  });
});

describe('lengths of time', () => {
  it.each([
    ['250ms', 250],
    ['90s', 90_000],
    ['5m', 300_000],
    ['1h', 3_600_000],
    ['24h', 86_400_000],
    ['7d', 604_800_000],
    [1, 1],
    [1500, 1500],
    ['3650d', MAX_DURATION_MS],
  ])('reads %s', (text, ms) => {
    expect(parseDuration(text)).toBe(ms);
  });

  it.each([
    '',
    '1',
    'h',
    '1 h',
    ' 1h',
    '1h ',
    '0h',
    '-1h',
    '1.5h',
    '1e3s',
    '01h',
    '1H',
    '3651d',
    '999999999999999d',
    0,
    -1,
    1.5,
    NaN,
    Infinity,
    MAX_DURATION_MS + 1,
    true,
    null,
    undefined,
    {},
    ['1h'],
  ])('refuses %j', (value) => {
    expect(parseDuration(value)).toBeUndefined();
  });
});
