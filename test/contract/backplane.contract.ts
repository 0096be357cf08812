// What every backplane must do, as one body of tests. Knows the port of core alone; each adapter brings a cluster of three nodes.

import { afterEach, beforeEach, describe } from 'vitest';
import { busContract } from './bus.part.js';
import { Bench, type ContractCluster } from './cluster.js';
import { expiryContract } from './expiry.part.js';
import { idempotencyContract } from './idempotency.part.js';
import { keptContract } from './kept.part.js';
import { logContract } from './log.part.js';
import { presenceContract } from './presence.part.js';
import { revocationsContract } from './revocations.part.js';

/** Each test has a cluster of its own from `setup`. */
export function backplaneContract(name: string, setup: () => Promise<ContractCluster>): void {
  describe(`backplane ${name}`, () => {
    let bench: Bench;
    const current = (): Bench => bench;
    beforeEach(async () => {
      bench = await Bench.start(setup);
    });
    afterEach(async () => bench.end());

    logContract(current);
    expiryContract(current);
    idempotencyContract(current);
    busContract(current);
    presenceContract(current);
    revocationsContract(current);
    keptContract(current);
  });
}
