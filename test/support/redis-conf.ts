// A Redis with deploy/redis.conf and its user for the server: what an operator runs, on this machine. Knows nothing of what is kept in it.

import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { projectDir } from '../../scripts/parts.mjs';
import { freePorts } from './free-ports.js';
import { RedisServer } from './redis-server.js';

const PASSWORD = 'a-long-random-password';
/** The default user stays: with it the test sees whether Redis is up. */
const USERS = /^#(?=user trunkline )/gm;
/** The lines for a Redis with replicas. */
const REPLICAS = /^#(?=min-replicas)/gm;

export interface ConfiguredRedis {
  /** With the user of the server. */
  readonly url: string;
  stop(): Promise<void>;
}

/** `replicas`: with the lines that only a master with replicas can have. */
export async function startConfiguredRedis({ replicas = false } = {}): Promise<ConfiguredRedis> {
  const [port = 0] = await freePorts(1);
  const text = readFileSync(join(projectDir, 'deploy', 'redis.conf'), 'utf8').replaceAll(USERS, '');
  if (!text.includes(`>${PASSWORD} `)) throw new Error('deploy/redis.conf has another password.');
  const folder = mkdtempSync(join(tmpdir(), 'trunkline-redis-conf-'));
  const file = join(folder, 'redis.conf');
  writeFileSync(file, replicas ? text.replaceAll(REPLICAS, '') : text);
  const place = ['--port', String(port), '--bind', '127.0.0.1'];
  const remove = (): void => rmSync(folder, { recursive: true, force: true });
  const args = ['--include', file, ...place];
  const server = await RedisServer.start({ port, args }).catch((error: unknown) => {
    remove();
    throw error;
  });
  return {
    url: `redis://trunkline:${PASSWORD}@127.0.0.1:${port}`,
    stop: async () => {
      await server.stop();
      remove();
    },
  };
}
