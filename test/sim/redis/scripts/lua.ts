// The rules of Lua and of its JSON on which the scripts rely, where they are not those of JavaScript. Knows no key.

import { replyError } from '../errors.js';

/** Digits with which cjson writes a number. */
const DIGITS = 14;

/** `tonumber`, for what the scripts hand to it; nil in arithmetic is an error. */
export function number(text: string | null | undefined): number {
  const value = text === null || text === undefined || text.trim() === '' ? NaN : Number(text);
  if (Number.isNaN(value)) throw replyError('ERR attempt to perform arithmetic on a nil value');
  return value;
}

/** `string.format('%.0f', value)`. */
export function plain(value: number): string {
  return Number.isSafeInteger(value) ? String(value) : BigInt(Math.round(value)).toString();
}

/** `#text`. */
export function bytes(text: string): number {
  return Buffer.byteLength(text);
}

/** An entry of presence: user, name, since, life. */
export interface PresenceText {
  readonly u: string;
  readonly n?: string;
  readonly s: number;
  readonly x: string;
}

export function presenceOf(text: string): PresenceText {
  try {
    return JSON.parse(text) as PresenceText;
  } catch {
    throw replyError('ERR Expected value but found invalid token');
  }
}

/** What is told of a user who comes or goes. */
export function memberText({ u, n, s }: PresenceText, connections: number): string {
  return JSON.stringify({ user: u, name: n, connections, since: Number(s.toPrecision(DIGITS)) });
}
