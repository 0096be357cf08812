// The Lua scripts as typed calls. File name = command and number of keys; what each takes and returns stands at its head.

import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import type { Cluster, Redis } from 'ioredis';

export type RedisClient = Redis | Cluster;

/** As the scripts return them: numbers come as text, since Lua's are floating. */
export interface ScriptReplies {
  publish: readonly [epoch: string, offset: string, id: string, repeated: number];
  read: readonly [epoch: string, offset: string, id: string, seen: string, found: readonly string[]];
  top: readonly [epoch: string, offset: string, id: string];
  enter: number;
  exit: number;
  sweep: string;
  refresh: readonly string[];
  order: string;
}

export type ScriptName = keyof ScriptReplies;

interface Script {
  readonly lua: string;
  readonly sha: string;
  readonly keys: number;
}

const FILE = /^([a-z]+)-([0-9]+)\.lua$/;

/** Beside this file, or below the one file that the bundle is. */
const FOLDER = [new URL('./lua/', import.meta.url), new URL('./backplanes/redis/lua/', import.meta.url)].find(
  (folder) => existsSync(folder),
);

const SCRIPTS: ReadonlyMap<string, Script> = readScripts();

function readScripts(): Map<string, Script> {
  if (FOLDER === undefined) throw new Error('The Lua scripts of the Redis backplane are missing.');
  const scripts = new Map<string, Script>();
  for (const file of readdirSync(FOLDER)) {
    const [, name, keys] = FILE.exec(file) ?? [];
    if (name === undefined) continue;
    const lua = readFileSync(new URL(file, FOLDER), 'utf8');
    scripts.set(name, { lua, sha: createHash('sha1').update(lua).digest('hex'), keys: Number(keys) });
  }
  return scripts;
}

/**
 * Sends the digest alone, and the text to a server that does not know it (a new one, or after SCRIPT FLUSH). The library's own way
 * for scripts, and its automatic pipelines, cost a third more CPU for each call.
 */
export async function runScript<Name extends ScriptName>(
  client: RedisClient,
  name: Name,
  keys: readonly string[],
  args: readonly (string | number)[],
): Promise<ScriptReplies[Name]> {
  const script = SCRIPTS.get(name);
  if (script === undefined) throw new Error(`There is no script ${name}.`);
  try {
    return (await client.evalsha(script.sha, script.keys, ...keys, ...args)) as ScriptReplies[Name];
  } catch (error) {
    if (!(error instanceof Error) || !error.message.startsWith('NOSCRIPT')) throw error;
    return (await client.eval(script.lua, script.keys, ...keys, ...args)) as ScriptReplies[Name];
  }
}
