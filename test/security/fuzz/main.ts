// The search over all parsers for some seconds, from the command line: a line each, and 1 when one broke. Knows no parser.

import { inspect, parseArgs } from 'node:util';
import { search, type Search, type Target } from './engine.js';
import { plantedParser } from './planted.js';
import { TARGETS } from './targets.js';

const PLANTED: Target = {
  name: 'the planted fault',
  seeds: [''],
  words: [],
  check: (text) => void plantedParser(text),
};
/** Milliseconds in which it must be found; it takes about 300. */
const PLANTED_MS = 20_000;

export function main(args: readonly string[]): number {
  // All of this is bundled into one file.
  const { url } = import.meta;
  const { values } = parseArgs({
    args: [...args],
    options: { seconds: { type: 'string', default: '60' }, seed: { type: 'string' } },
  });
  const seconds = wholeNumber('seconds', values.seconds);
  // Another one each time, and told, so that what is found can be found again.
  const seed = wholeNumber('seed', values.seed ?? String(Math.floor(Math.random() * 2 ** 31)));
  say(`seed ${seed}, ${seconds} s for ${TARGETS.length} parsers`);
  const proof = search(PLANTED, { milliseconds: PLANTED_MS, seed, url });
  tell(PLANTED.name, proof);
  if (proof.finding?.text !== 'fault!')
    return fail('The search did not find the fault that was planted for it.');
  const milliseconds = (seconds * 1000) / TARGETS.length;
  for (const target of TARGETS) {
    const done = search(target, { milliseconds, seed, url });
    tell(target.name, done);
    const { finding } = done;
    if (finding === undefined) continue;
    process.stderr.write(`${inspect(finding.error)}\n`);
    return fail(`--seed ${seed} broke ${target.name} with ${JSON.stringify(finding.text)}`);
  }
  return 0;
}

function tell(name: string, { runs, kept, reached }: Search): void {
  say(`${name}: ${runs} texts, ${kept} kept, ${reached} characters of code reached`);
}

function fail(why: string): number {
  process.stderr.write(`${why}\n`);
  return 1;
}

function wholeNumber(name: string, text: string): number {
  if (!/^[0-9]{1,10}$/.test(text)) throw new Error(`--${name} is a whole number, not "${text}".`);
  return Number(text);
}

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}
