// Makes a text from others by small wounds: cut, doubled, swapped, spliced, with words of its kind put in. Knows no format.

import type { SeededRandom } from '../../support/seeded-random.js';

/** Longest text that is made; what is longer is refused by its length and teaches nothing. */
const MAX_LENGTH = 20_000;
const SIGNS = [
  '\0',
  '\n',
  '\r',
  '"',
  '\\',
  '{',
  '}',
  '[',
  ']',
  ':',
  ',',
  '~',
  '!',
  '.',
  '%',
  '=',
  '&',
  '-',
  '0',
  '9',
  'e',
  ' ',
  '\u00ad',
  '\u202e',
  '\u2028',
  '\ufeff',
  '\ud800',
  '\udc00',
  '😀',
  '\u0000',
  '\\u0000',
  '\\ud800',
  '\\"',
];
const WORDS = [
  'null',
  'true',
  'false',
  '-0',
  '1e999',
  '-1',
  '9007199254740993',
  '1e-400',
  '{}',
  '[]',
  '""',
  '__proto__',
  'constructor',
  'toString',
  '%00',
  '%ff',
  '%E2%80%AE',
  '%',
  '\\u005f',
];

type Wound = (text: string, random: SeededRandom, other: string, words: readonly string[]) => string;

const at = (text: string, random: SeededRandom): number => random.below(text.length + 1);
const pick = <T>(list: readonly T[], random: SeededRandom): T => list[random.below(list.length)] as T;
const span = (text: string, random: SeededRandom): [number, number] => {
  const start = at(text, random);
  return [start, Math.min(text.length, start + 1 + random.below(random.below(4) === 0 ? 200 : 8))];
};

const WOUNDS: readonly Wound[] = [
  // One character more, less, other, or two of them swapped.
  (text, random) => ((i) => text.slice(0, i) + pick(SIGNS, random) + text.slice(i))(at(text, random)),
  (text, random) =>
    ((i) => text.slice(0, i) + String.fromCharCode(random.below(128)) + text.slice(i + 1))(at(text, random)),
  (text, random) =>
    ((i) => text.slice(0, i) + String.fromCharCode(random.below(65_536)) + text.slice(i + 1))(
      at(text, random),
    ),
  (text, random) =>
    ((i) =>
      text.slice(0, i) +
      String.fromCharCode((text.charCodeAt(i) || 0) ^ (1 << random.below(8))) +
      text.slice(i + 1))(at(text, random)),
  (text, random) => (([a, b]) => text.slice(0, a) + text.slice(b))(span(text, random)),
  // A piece doubled, often, or moved.
  (text, random) => (([a, b]) => text.slice(0, b) + text.slice(a, b) + text.slice(b))(span(text, random)),
  (text, random) =>
    (([a, b]) => text.slice(0, a) + text.slice(a, b).repeat(1 + random.below(64)) + text.slice(b))(
      span(text, random),
    ),
  (text, random) =>
    (([a, b], i) => text.slice(0, i) + text.slice(a, b) + text.slice(i))(
      span(text, random),
      at(text, random),
    ),
  // A word of the format, or of the language.
  (text, random, _other, words) =>
    ((i) => text.slice(0, i) + pick(words, random) + text.slice(i))(at(text, random)),
  (text, random, _other, words) =>
    (([a, b]) => text.slice(0, a) + pick(words, random) + text.slice(b))(span(text, random)),
  (text, random) => (([a, b]) => text.slice(0, a) + pick(WORDS, random) + text.slice(b))(span(text, random)),
  // The beginning of one and the end of another.
  (text, random, other) => text.slice(0, at(text, random)) + other.slice(at(other, random)),
  (text, random, other) =>
    (([a, b]) => ((i) => text.slice(0, i) + other.slice(a, b) + text.slice(i))(at(text, random)))(
      span(other, random),
    ),
];

export interface MutateParts {
  readonly other: string;
  readonly words: readonly string[];
}

export function mutate(text: string, random: SeededRandom, { other, words }: MutateParts): string {
  let made = text;
  for (let wounds = 1 + random.below(4); wounds > 0; wounds--) {
    made = pick(WOUNDS, random)(made, random, other, words.length === 0 ? WORDS : words);
    if (made.length > MAX_LENGTH) made = made.slice(0, MAX_LENGTH);
  }
  return made;
}
