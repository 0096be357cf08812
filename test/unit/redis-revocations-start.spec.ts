// Revocations that are told while an instance starts: between the moment it hears the bus and the moment it has read the list.

import { expect, it } from 'vitest';
import { RedisKeys } from '../../src/backplanes/redis/redis.keys.js';
import { redisOptions } from '../../src/backplanes/redis/redis.options.js';
import { RedisRevocations } from '../../src/backplanes/redis/redis.revocations.js';
import type { RedisClient } from '../../src/backplanes/redis/redis.scripts.js';
import { SILENT_LOGGER } from '../../src/core/ports/application.js';
import { FakeClock } from '../support/fake-clock.js';
import { SeededRandom } from '../support/seeded-random.js';

it('are handed on although the bus told them before anybody was there to hear', async () => {
  const clock = new FakeClock();
  const until = clock.now() + 60_000;
  const list = new Map([
    ['tag', 'b'],
    ['user:ana', `5 ${until}`],
  ]);
  const client = {
    status: 'ready',
    hget: (_key: string, field: string) => Promise.resolve(list.get(field) ?? null),
    hscan: () => Promise.resolve(['0', [...list].flat()]),
  } as unknown as RedisClient;
  const revocations = new RedisRevocations({
    client,
    keys: new RedisKeys('test'),
    options: redisOptions.parse({}),
    clock,
    random: new SeededRandom(),
    logger: SILENT_LOGGER,
  });
  const handed: string[] = [];
  revocations.heard(`a b\n5 ${until} user:ana`);
  await revocations.start((some) => handed.push(...some.map(({ user }) => user)));
  revocations.stop();
  expect(handed).toEqual(['ana']);
});
