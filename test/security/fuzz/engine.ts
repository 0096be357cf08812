// A search for texts that break a parser, guided by what ran: a text that reaches something new is kept, and wounded again. Knows no parser.

import { SeededRandom } from '../../support/seeded-random.js';
import { Coverage } from './coverage.js';
import { mutate } from './mutate.js';

export interface Target {
  readonly name: string;
  /** Texts to begin with, good ones and such as were trouble once. */
  readonly seeds: readonly string[];
  /** Words of the format. */
  readonly words: readonly string[];
  /** Throws when what the parser did is wrong. */
  check(text: string): void;
}

export interface Finding {
  readonly text: string;
  readonly error: unknown;
}

export interface Search {
  readonly finding: Finding | undefined;
  readonly runs: number;
  /** Texts that were kept because they reached something new. */
  readonly kept: number;
  /** Characters of code that ran. */
  readonly reached: number;
}

export interface SearchOptions {
  readonly milliseconds: number;
  readonly seed: number;
  /** Of the script whose code is looked at. */
  readonly url: string;
}

/** A look at the counters costs about a millisecond, so many texts share one; when they reached something new each is run again alone. */
const BATCH = 64;

export function search(target: Target, { milliseconds, seed, url }: SearchOptions): Search {
  const random = new SeededRandom(seed);
  const coverage = new Coverage(url);
  const corpus = [...target.seeds];
  const end = performance.now() + milliseconds;
  let runs = 0;
  const any = (): string => corpus[random.below(corpus.length)] ?? '';
  try {
    let finding = firstBroken(target, corpus);
    coverage.isNew(coverage.take(), { learn: true });
    while (finding === undefined && performance.now() < end) {
      const batch = Array.from({ length: BATCH }, () =>
        mutate(any(), random, { other: any(), words: target.words }),
      );
      runs += BATCH;
      finding = firstBroken(target, batch);
      const together = coverage.take();
      if (finding !== undefined || !coverage.isNew(together, { learn: false })) continue;
      for (const text of batch) {
        target.check(text);
        if (coverage.isNew(coverage.take(), { learn: true })) corpus.push(text);
      }
      // What ran for the batch alone, by chance, is no news the next time.
      coverage.isNew(together, { learn: true });
    }
    return { finding, runs, kept: corpus.length - target.seeds.length, reached: coverage.reached };
  } finally {
    coverage.stop();
  }
}

function firstBroken(target: Target, texts: readonly string[]): Finding | undefined {
  for (const text of texts) {
    try {
      target.check(text);
    } catch (error) {
      return { text: shortest(target, text), error };
    }
  }
  return undefined;
}

/** Cuts pieces out as long as it still breaks, so that a person can read it. */
function shortest(target: Target, text: string): string {
  let best = text;
  for (let piece = Math.ceil(best.length / 2); piece >= 1; piece = piece === 1 ? 0 : Math.ceil(piece / 2)) {
    for (let at = 0; at + piece <= best.length;) {
      const cut = best.slice(0, at) + best.slice(at + piece);
      if (breaks(target, cut)) best = cut;
      else at += piece;
    }
  }
  return best;
}

function breaks(target: Target, text: string): boolean {
  try {
    target.check(text);
    return false;
  } catch {
    return true;
  }
}
