// The Redis backplane over the fake Redis under the contract of all backplanes: what holds over a real Redis holds over the fake one.

import { RedisBackplane } from '../../src/backplanes/redis/redis.backplane.js';
import { RedisKeys } from '../../src/backplanes/redis/redis.keys.js';
import { redisOptions } from '../../src/backplanes/redis/redis.options.js';
import { SILENT_LOGGER } from '../../src/core/ports/application.js';
import { backplaneContract } from '../contract/backplane.contract.js';
import { FakeRedisServer } from '../sim/redis/server.js';
import { STRAIGHT_NETWORK } from '../sim/redis/straight-network.js';
import { FakeClock } from '../support/fake-clock.js';
import { SeededRandom } from '../support/seeded-random.js';

/** Time moves by hand, turns of the loop by themselves. */
class TurningClock extends FakeClock {
  override soon(run: () => void): void {
    setImmediate(run);
  }
}

backplaneContract('redis over the fake', async () => {
  const clock = new TurningClock();
  const redis = new FakeRedisServer({ clock, random: new SeededRandom(1), scanPage: 3 });
  const options = redisOptions.parse({});
  const keys = new RedisKeys(options.prefix);
  const node = (seed: number): RedisBackplane =>
    new RedisBackplane({
      options,
      clock,
      random: new SeededRandom(seed),
      logger: SILENT_LOGGER,
      connect: redis.connector(`n${seed}`, STRAIGHT_NETWORK).connect,
    });
  return {
    nodes: [node(2), node(3), node(4)],
    timing: { ttl: 60_000, idempotency: options.idempotencyWindowMs, slack: 1 },
    faults: {
      // The tests of the contract write nothing but publications before it.
      loseLast: async (_channel, count) => void redis.rewind(count),
      // What follows it comes with the next beat.
      flush: async () => {
        redis.flush();
        await clock.advance(options.beatMs);
      },
      expireMeta: async (channel) => void redis.ask('del', keys.meta(channel)),
    },
    now: () => clock.now(),
    pass: (ms) => clock.advance(ms),
    dispose: async () => {},
  };
});
