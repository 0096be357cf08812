// Arbitrary JSON as text: every spelling the grammar allows, not only what JSON.stringify prints. Knows no frame.

import fc from 'fast-check';

const SPACE = fc.constantFrom('', '', '', ' ', '\n', '\r\n\t', '   ');
const NUMBERS = ['0', '-0', '7', '-12.50', '1e5', '2E+3', '0.1e-7', '12345678901234567890', '1e400'];
const SHORT_ESCAPES = ['\\n', '\\"', '\\\\', '\\/', '\\u0000', '\\ud83d\\ude00', '\\ud800', '\\\\\\"'];
/** Text that would mislead a scanner that does not know where strings end. */
const LURES = ['data', '}', '{', ']', '[', ',', ':', '"data":', '{"data":1}', '\\'];

/** One character as it may stand in a string literal. */
const letter = fc.oneof(
  { weight: 4, arbitrary: fc.string({ unit: 'binary', minLength: 1, maxLength: 1 }).map(quoted) },
  { weight: 2, arbitrary: fc.constantFrom(...SHORT_ESCAPES) },
  { weight: 2, arbitrary: fc.constantFrom(...LURES).map(quoted) },
  { weight: 1, arbitrary: fc.constantFrom('a', 'é', '😀').map(escaped) },
);

export const stringText = fc.array(letter, { maxLength: 6 }).map((letters) => `"${letters.join('')}"`);

/** A spelling of one string: any of its characters may be escaped. */
export function spelled(text: string): fc.Arbitrary<string> {
  return fc
    .array(fc.boolean(), { minLength: text.length, maxLength: text.length })
    .map(
      (escapes) =>
        `"${[...text].map((char, i) => (escapes[i] === true ? escaped(char) : quoted(char))).join('')}"`,
    );
}

export interface Member {
  /** The key as a literal. */
  readonly key: string;
  readonly value: string;
}

/** The text of an object with these members in this order, spaces anywhere. */
export function objectText(members: readonly Member[]): fc.Arbitrary<string> {
  const spaces = fc.array(SPACE, { minLength: members.length * 4 + 1, maxLength: members.length * 4 + 1 });
  return spaces.map((space) => {
    const parts = members.map(({ key, value }, i) => {
      const [a, b, c, d] = space.slice(i * 4, i * 4 + 4);
      return `${a}${key}${b}:${c}${value}${d}`;
    });
    return `{${parts.join(',')}${parts.length === 0 ? space[0] : ''}}`;
  });
}

type Tree = { value: string; list: string; object: string };

const trees = fc.letrec<Tree>((tie) => ({
  value: fc.oneof(
    { maxDepth: 4, withCrossShrink: true },
    stringText,
    fc.constantFrom('true', 'false', 'null', ...NUMBERS),
    tie('list'),
    tie('object'),
  ),
  list: fc
    .tuple(fc.array(tie('value'), { maxLength: 4 }), SPACE)
    .map(([items, space]) => `[${space}${items.join(`${space},${space}`)}${space}]`),
  object: fc
    .array(fc.record({ key: fc.oneof(stringText, spelled('data')), value: tie('value') }), { maxLength: 4 })
    .chain(objectText),
}));

/** The text of any JSON value. */
export const jsonText = trees.value;

/** How deep the text nests, told from the text with its strings taken out. */
export function depthOf(text: string): number {
  let depth = 0;
  let deepest = 0;
  for (const sign of text.replace(/"(?:\\.|[^"\\])*"/gs, '')) {
    if (sign === '{' || sign === '[') deepest = Math.max(deepest, ++depth);
    if (sign === '}' || sign === ']') depth--;
  }
  return deepest;
}

function quoted(char: string): string {
  return JSON.stringify(char).slice(1, -1);
}

function escaped(text: string): string {
  return Array.from({ length: text.length }, (_, i) => {
    return `\\u${text.charCodeAt(i).toString(16).padStart(4, '0')}`;
  }).join('');
}
