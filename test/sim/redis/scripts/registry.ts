// Which script of the backplane is which, by the digest of its Lua text. Knows no key.

import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import type { ScriptName } from '../../../../src/backplanes/redis/redis.scripts.js';
import { read, top } from './log.js';
import { forget, order, register, revoke } from './nodes.js';
import { enter, exit, refresh, sweep } from './presence.js';
import { publish } from './publish.js';
import type { Script } from './script.js';

/** A script that is added to the backplane is missed here by the compiler, and its Lua file by `filesWithout`. */
const FAKES: Readonly<Record<ScriptName, Script>> = {
  publish,
  read,
  top,
  enter,
  exit,
  sweep,
  refresh,
  order,
  revoke,
  register,
  forget,
};

const FOLDER = new URL('../../../../src/backplanes/redis/lua/', import.meta.url);

export interface KnownScript {
  readonly name: string;
  /** The file of its Lua text. */
  readonly file: string;
  readonly run: Script;
}

interface Found {
  readonly bySha: ReadonlyMap<string, KnownScript>;
  readonly filesWithout: readonly string[];
}

const FOUND = find();

export function scriptOf(sha: string): KnownScript | undefined {
  return FOUND.bySha.get(sha);
}

/** Texts come again after each restart. */
const shas = new Map<string, string>();

export function shaOf(text: string): string {
  const known = shas.get(text);
  if (known !== undefined) return known;
  const sha = createHash('sha1').update(text).digest('hex');
  shas.set(text, sha);
  return sha;
}

/** Lua files that nothing here stands for. */
export function filesWithoutFake(): readonly string[] {
  return FOUND.filesWithout;
}

export function knownScripts(): readonly KnownScript[] {
  return [...FOUND.bySha.values()];
}

function find(): Found {
  const bySha = new Map<string, KnownScript>();
  const filesWithout: string[] = [];
  for (const file of readdirSync(FOLDER).filter((name) => name.endsWith('.lua'))) {
    const name = file.replace(/-.*/, '');
    const text = readFileSync(new URL(file, FOLDER), 'utf8');
    const run = Object.entries(FAKES).find(([fake]) => fake === name)?.[1];
    if (run === undefined) filesWithout.push(file);
    else bySha.set(createHash('sha1').update(text).digest('hex'), { name, file, run });
  }
  return { bySha, filesWithout };
}
