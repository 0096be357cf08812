// TLS to Redis: whom it trusts, and why a handshake fails, which the client keeps to itself for Sentinels and Clusters. Sends nothing.

import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { isIP } from 'node:net';
import { connect, type ConnectionOptions } from 'node:tls';
import type { RedisOptions } from './redis.options.js';
import { parseRedisUrl, type RedisAddress, type RedisPlace } from './redis.url.js';

export function trusted({ caFile }: Pick<RedisOptions, 'caFile'>): ConnectionOptions {
  if (caFile === '') return {};
  try {
    return { ca: readFileSync(caFile) };
  } catch (cause) {
    throw new Error(`The authorities of Redis cannot be read: ${(cause as Error).message}`, { cause });
  }
}

/** Undefined when there is no TLS, or nothing is wrong with it at the first place of the address. */
export async function tlsTrouble(options: RedisOptions): Promise<string | undefined> {
  const address = parseRedisUrl(options.url);
  if (address === undefined || !address.tls) return undefined;
  const [place] = placesOf(address);
  if (place === undefined) return undefined;
  const name = isIP(place.host) === 0 ? { servername: place.host } : {};
  const socket = connect({ ...place, ...name, ...trusted(options), timeout: options.connectTimeoutMs });
  try {
    await Promise.race([once(socket, 'secureConnect'), once(socket, 'timeout')]);
    return undefined;
  } catch (error) {
    return `${place.host}:${place.port}: ${error instanceof Error ? error.message : String(error)}`;
  } finally {
    socket.on('error', () => {});
    socket.destroy();
  }
}

function placesOf(address: RedisAddress): readonly RedisPlace[] {
  if (address.kind === 'standalone') return [{ host: address.host, port: address.port }];
  return address.kind === 'cluster' ? address.seeds : address.sentinels;
}
