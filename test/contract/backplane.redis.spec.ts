// The Redis backplane under the contract: three nodes over a real Redis, standalone, under Sentinel and as a Cluster of three masters.

import { afterAll, beforeAll, describe, expect } from 'vitest';
import type { RedisSettings } from '../../src/backplanes/redis/redis.options.js';
import {
  externalRedis,
  startCluster,
  startSentinel,
  startStandalone,
  timesToLive,
  type RedisFleet,
} from '../support/redis-fleet.js';
import { expireMeta, freshPrefix, loseLast, redisNode } from '../support/redis-nodes.js';
import { backplaneContract } from './backplane.contract.js';

/** Milliseconds. Real time: as short as a busy machine can bear. */
const TIMING = { ttl: 300, idempotency: 600, slack: 60 };

let prefix = '';

/** A Redis that is given from outside is used instead of one of our own. */
async function standalone(): Promise<RedisFleet> {
  const url = process.env['REDIS_URL'];
  return url === undefined || url === '' ? startStandalone() : externalRedis(url, () => prefix);
}

function redisContract(name: string, start: () => Promise<RedisFleet>): void {
  describe(`over ${name}`, () => {
    let fleet: RedisFleet;
    beforeAll(async () => {
      fleet = await start();
    });
    afterAll(() => fleet.stop());

    backplaneContract(`redis ${name}`, async () => {
      const own = freshPrefix();
      prefix = own;
      const settings: RedisSettings = {
        url: fleet.url,
        prefix,
        idempotencyWindowMs: TIMING.idempotency,
        positionTtlMs: 10 * TIMING.ttl,
      };
      return {
        nodes: [redisNode(settings), redisNode(settings), redisNode(settings)],
        timing: TIMING,
        faults: {
          loseLast: (channel, lost) => loseLast(fleet, { prefix: own, channel, lost }),
          flush: () => fleet.flush(),
          expireMeta: (channel) => expireMeta(fleet, own, channel),
        },
        now: () => Date.now(),
        pass: (ms) => new Promise((resolve) => setTimeout(resolve, ms)),
        dispose: async () => {
          const forEver = [...(await timesToLive(fleet, own))].filter(([, left]) => left < 0);
          expect(forEver, 'keys without an end').toEqual([]);
        },
      };
    });
  });
}

redisContract('standalone', standalone);
redisContract('Sentinel', startSentinel);
redisContract('Cluster', startCluster);
