// The Lua scripts as typed calls. File name = command and number of keys; what each takes and returns stands at its head.

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

type Calls = Record<string, (...args: readonly (string | number)[]) => Promise<unknown>>;

const FILE = /^([a-z]+)-([0-9]+)\.lua$/;
/** Commands of ioredis itself are not to be hidden. */
const PREFIX = 'trunkline';

/** Beside this file, or below the one file that the bundle is. */
const FOLDER = [new URL('./lua/', import.meta.url), new URL('./backplanes/redis/lua/', import.meta.url)].find(
  (folder) => existsSync(folder),
);

/** Once for each client. ioredis sends the digest alone, and the text again to a server that has lost it. */
export function defineScripts(client: RedisClient): void {
  if (FOLDER === undefined) throw new Error('The Lua scripts of the Redis backplane are missing.');
  for (const file of readdirSync(FOLDER)) {
    const [, name, keys] = FILE.exec(file) ?? [];
    if (name === undefined) continue;
    const lua = readFileSync(new URL(file, FOLDER), 'utf8');
    client.defineCommand(PREFIX + name, { numberOfKeys: Number(keys), lua });
  }
}

export function runScript<Name extends ScriptName>(
  client: RedisClient,
  name: Name,
  keys: readonly string[],
  args: readonly (string | number)[],
): Promise<ScriptReplies[Name]> {
  const call = (client as unknown as Calls)[PREFIX + name];
  if (call === undefined) throw new Error(`There is no script ${name}.`);
  return call.call(client, ...keys, ...args) as Promise<ScriptReplies[Name]>;
}
