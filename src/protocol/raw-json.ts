// Raw texts of the parts of a JSON text: the elements of an array, the value of a key of an object. For text that was parsed before; judges no syntax.

import { keyIs, stringEnd } from './frame-scan.js';

interface Part {
  /** Quotes of the key; undefined in an array. */
  readonly key: { readonly open: number; readonly end: number } | undefined;
  /** The value, blanks around it included. */
  readonly from: number;
  readonly to: number;
}

/** The raw text of each element of an array, in order. Of anything but an array: none. */
export function rawElements(text: string): string[] {
  if (text.trimStart()[0] !== '[') return [];
  const elements: string[] = [];
  for (const { from, to } of outermostParts(text)) {
    const element = text.slice(from, to).trim();
    if (element !== '') elements.push(element);
  }
  return elements;
}

/** The raw text of the value of a top-level key, or undefined. Of a key that stands twice the last counts, as in JSON.parse. */
export function rawProperty(text: string, name: string): string | undefined {
  let found: string | undefined;
  for (const { key, from, to } of outermostParts(text)) {
    if (key !== undefined && keyIs(text, key.open, key.end, name)) found = text.slice(from, to).trim();
  }
  return found;
}

function* outermostParts(text: string): Generator<Part> {
  let depth = 0;
  let from = 0;
  let key: Part['key'];
  let inValue = false;
  for (let at = 0; at < text.length; at++) {
    switch (text.charAt(at)) {
      case '"': {
        const end = stringEnd(text, at);
        if (end < 0) return;
        if (depth === 1 && !inValue) key = { open: at, end };
        at = end;
        break;
      }
      case '{':
      case '[':
        if (++depth === 1) {
          from = at + 1;
          inValue = text[at] === '[';
        }
        break;
      case '}':
      case ']':
        if (depth-- === 1) yield { key, from, to: at };
        break;
      case ':':
        if (depth === 1) {
          from = at + 1;
          inValue = true;
        }
        break;
      case ',':
        if (depth === 1) {
          yield { key, from, to: at };
          from = at + 1;
          inValue = key === undefined;
        }
        break;
    }
  }
}
