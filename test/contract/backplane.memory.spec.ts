// The memory backplane under the contract: three nodes in one process over one store and one bus, on a clock that is moved by hand.

import { MemoryBackplane } from '../../src/backplanes/memory/memory.backplane.js';
import { memoryOptions } from '../../src/backplanes/memory/memory.options.js';
import { MemoryStore } from '../../src/backplanes/memory/memory.store.js';
import { FakeClock } from '../support/fake-clock.js';
import { SeededRandom } from '../support/seeded-random.js';
import { backplaneContract } from './backplane.contract.js';

backplaneContract('memory', async () => {
  const clock = new FakeClock();
  const options = memoryOptions.parse({});
  const store = new MemoryStore({ options, clock, random: new SeededRandom() });
  return {
    nodes: [new MemoryBackplane(store), new MemoryBackplane(store), new MemoryBackplane(store)],
    timing: { ttl: 60_000, idempotency: options.idempotencyWindowMs, slack: 1 },
    faults: {
      loseLast: async (channel, count) => store.loseLast(channel, count),
      flush: async () => store.flush(),
      expireMeta: async (channel) => store.expireMeta(channel),
    },
    now: () => clock.now(),
    pass: (ms) => clock.advance(ms),
    dispose: async () => {},
  };
});
