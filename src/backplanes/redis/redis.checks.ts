// Looks at the Redis that was found and warns of settings under which the promises of this backplane cannot hold. Refuses nothing.

import type { Cluster, Redis } from 'ioredis';
import type { CoreLogger } from '../../core/ports/application.js';
import type { RedisClient } from './redis.scripts.js';

/** Oldest version we are tested with; sharded pub/sub came with 7.0. */
const OLDEST: readonly [number, number] = [6, 2];
const OLDEST_SHARDED: readonly [number, number] = [7, 0];
/** Bytes a bus connection may fall behind before Redis cuts it. Redis' own default of 32 MB is 500 messages of 64 KiB. */
const BUS_BUFFER_BYTES = 67_108_864;

export interface CheckParts {
  readonly client: RedisClient;
  readonly logger: CoreLogger;
  readonly sharded: boolean;
}

export async function checkRedis({ client, logger, sharded }: CheckParts): Promise<readonly string[]> {
  const node = sharded ? (client as Cluster).nodes('master')[0] : (client as Redis);
  if (node === undefined) return [];
  const info = parseInfo(await node.info().catch(() => ''));
  const buffers = await node.config('GET', 'client-output-buffer-limit').catch(() => []);
  const findings = [
    versionFinding(info, sharded),
    evictionFinding(info),
    replicaFinding(info),
    bufferFinding((buffers as readonly string[])[1]),
  ].filter((finding) => finding !== undefined);
  for (const finding of findings) logger.warn(finding);
  return findings;
}

function parseInfo(text: string): ReadonlyMap<string, string> {
  return new Map(
    text.split('\r\n').flatMap((line): [string, string][] => {
      const cut = line.indexOf(':');
      return cut < 0 ? [] : [[line.slice(0, cut), line.slice(cut + 1)]];
    }),
  );
}

function versionFinding(info: ReadonlyMap<string, string>, sharded: boolean): string | undefined {
  const text = info.get('redis_version');
  const [major = 0, minor = 0] = text?.split('.').map(Number) ?? [];
  const [oldMajor, oldMinor] = sharded ? OLDEST_SHARDED : OLDEST;
  if (text === undefined || major > oldMajor || (major === oldMajor && minor >= oldMinor)) return undefined;
  return `Redis ${text} is older than ${oldMajor}.${oldMinor}, the oldest version this was tested with.`;
}

/** A key that is evicted takes its channel's history with it: readers are told `epoch_changed`. */
function evictionFinding(info: ReadonlyMap<string, string>): string | undefined {
  const policy = info.get('maxmemory_policy');
  if (policy === undefined || policy === 'noeviction') return undefined;
  return `Redis evicts keys when its memory is full (maxmemory-policy ${policy}); channels would lose their history. Use noeviction.`;
}

/** Without one, what was acknowledged is lost when the master is lost for good. */
function replicaFinding(info: ReadonlyMap<string, string>): string | undefined {
  if (info.get('role') !== 'master') return undefined;
  if (info.get('connected_slaves') !== '0') return undefined;
  return info.get('aof_enabled') === '1'
    ? undefined
    : 'Redis has no replica and no append-only file: what was acknowledged is lost when it is. Set appendonly yes, or add a replica.';
}

function bufferFinding(limits: string | undefined): string | undefined {
  const hard = /pubsub ([0-9]+)/.exec(limits ?? '')?.[1];
  if (hard === undefined || hard === '0' || Number(hard) >= BUS_BUFFER_BYTES) return undefined;
  return `Redis cuts a bus connection that is ${Math.round(Number(hard) / 2 ** 20)} MiB behind; under load that is soon. Set client-output-buffer-limit pubsub 256mb 64mb 60.`;
}
