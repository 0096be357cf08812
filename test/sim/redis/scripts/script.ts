// What a script of the backplane is given in the fake Redis, in place of KEYS, ARGV and redis.call. Knows no script.

import type { Keyspace } from '../keyspace.js';

export interface ScriptCall {
  readonly space: Keyspace;
  readonly keys: readonly string[];
  readonly args: readonly string[];
  /** The words PUBLISH and SPUBLISH that some scripts are handed. */
  readonly tell: (verb: string, channel: string, payload: string) => void;
  /** Fields in one page of a scan, at most. */
  readonly scanPage: number;
}

export type Reply = string | number | null | readonly Reply[];

export type Script = (call: ScriptCall) => Reply;

/** KEYS[n + 1] of a script whose number of keys was looked at. */
export function at(list: readonly string[], index: number): string {
  return list[index] as string;
}
