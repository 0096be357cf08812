// The Lua scripts as typed calls. File name = command and number of keys, `n` where that varies; what each takes and returns
// stands at its head.

import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import type { Cluster, Redis } from 'ioredis';

export type RedisClient = Redis | Cluster;

/** As the scripts return them: numbers come as text, since Lua's are floating. */
export interface ScriptReplies {
  publish: string;
  read: readonly [epoch: string, offset: string, id: string, seen: string, found: readonly string[]];
  top: string;
  enter: number;
  exit: number;
  sweep: string;
  refresh: readonly string[];
  order: string;
  revoke: number;
  register: number;
  forget: number;
}

export type ScriptName = keyof ScriptReplies;

interface Script {
  readonly lua: string;
  readonly sha: string;
  /** Undefined: it varies. */
  readonly keys: number | undefined;
}

const FILE = /^([a-z]+)-([0-9]+|n)\.lua$/;

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
    const sha = createHash('sha1').update(lua).digest('hex');
    scripts.set(name, { lua, sha, keys: keys === 'n' ? undefined : Number(keys) });
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
  const script = scriptFor(name, keys.length);
  try {
    return (await client.evalsha(script.sha, keys.length, ...keys, ...args)) as ScriptReplies[Name];
  } catch (error) {
    if (!isUnknown(error)) throw error;
    return (await client.eval(script.lua, keys.length, ...keys, ...args)) as ScriptReplies[Name];
  }
}

/** Of each client: scripts that a server has answered to since the client was connected to it, as `place name`. */
const answered = new WeakMap<RedisClient, Set<string>>();

/**
 * As `runScript`, for calls that go out without waiting for each other and must be carried out in their order. A server that does not know a
 * digest would refuse the first, hear the text from somebody else, and take the second before the first comes again. So until it has answered
 * once it is sent the text. `place`: calls with the same one go to the same server.
 */
export async function runInOrder<Name extends ScriptName>(
  client: RedisClient,
  place: number,
  { name, keys, args }: ScriptCall<Name>,
): Promise<ScriptReplies[Name]> {
  const known = answeredBy(client);
  const mark = `${place} ${name}`;
  if (known.has(mark)) {
    try {
      const { sha } = scriptFor(name, keys.length);
      return (await client.evalsha(sha, keys.length, ...keys, ...args)) as ScriptReplies[Name];
    } catch (error) {
      if (!isUnknown(error)) throw error;
      known.delete(mark);
    }
  }
  const reply = await client.eval(scriptFor(name, keys.length).lua, keys.length, ...keys, ...args);
  known.add(mark);
  return reply as ScriptReplies[Name];
}

function answeredBy(client: RedisClient): Set<string> {
  let known = answered.get(client);
  if (known === undefined) {
    answered.set(client, (known = new Set()));
    whenLost(client, known);
  }
  return known;
}

/** The next server behind the same address may be another one, or the same without its memory. */
function whenLost(client: RedisClient, known: Set<string>): void {
  const lost = (): void => known.clear();
  client.on('close', lost);
  if (!('nodes' in client)) return;
  for (const node of client.nodes()) node.on('close', lost);
  client.on('+node', (node: Redis) => {
    lost();
    node.on('close', lost);
  });
}

export interface ScriptCall<Name extends ScriptName> {
  readonly name: Name;
  readonly keys: readonly string[];
  readonly args: readonly (string | number)[];
}

export interface ConfirmedCall<Name extends ScriptName> extends ScriptCall<Name> {
  /** How many replicas WAIT asks for, and its milliseconds. */
  readonly replicas: number;
  readonly timeoutMs: number;
}

/**
 * As `runScript`, with a WAIT right behind it, and how many replicas have it all: 0 when that is not known. WAIT counts what its own
 * connection wrote before it, so it goes again behind the text.
 */
export async function runConfirmed<Name extends ScriptName>(
  client: RedisClient,
  { name, keys, args, replicas, timeoutMs }: ConfirmedCall<Name>,
): Promise<{ readonly reply: ScriptReplies[Name]; readonly confirmed: number }> {
  const script = scriptFor(name, keys.length);
  const send = async (call: Promise<unknown>) => {
    const waited = client.wait(replicas, timeoutMs).catch(() => 0);
    const reply = (await call) as ScriptReplies[Name];
    return { reply, confirmed: await waited };
  };
  try {
    return await send(client.evalsha(script.sha, keys.length, ...keys, ...args));
  } catch (error) {
    if (!isUnknown(error)) throw error;
    return send(client.eval(script.lua, keys.length, ...keys, ...args));
  }
}

function scriptFor(name: ScriptName, keys: number): Script {
  const script = SCRIPTS.get(name);
  if (script === undefined) throw new Error(`There is no script ${name}.`);
  if (script.keys !== undefined && script.keys !== keys)
    throw new Error(`The script ${name} does not take ${keys} keys.`);
  return script;
}

function isUnknown(error: unknown): boolean {
  return error instanceof Error && error.message.startsWith('NOSCRIPT');
}
