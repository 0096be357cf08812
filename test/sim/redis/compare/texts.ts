// The Lua text of each script of the backplane, for those who hand it to a Redis. Knows no Redis.

import { readFileSync } from 'node:fs';
import { knownScripts } from '../scripts/registry.js';

const LUA = new URL('../../../../src/backplanes/redis/lua/', import.meta.url);
const TEXTS = new Map(
  knownScripts().map(({ name, file }) => [name, readFileSync(new URL(file, LUA), 'utf8')]),
);

export function luaOf(name: string): string {
  const text = TEXTS.get(name);
  if (text === undefined) throw new Error(`There is no script ${name}.`);
  return text;
}
