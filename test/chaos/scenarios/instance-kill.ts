// G1: an instance is killed every 3 s under load and comes again; nothing acknowledged is lost.

import type { Scenario } from '../stage.js';

const EVERY_MS = 3000;

export const instanceKill: Scenario = {
  name: 'instance-kill',
  promise: 'G1',
  about: 'kill -9 of a random instance every 3 s under load',
  rules: { noGaps: true },
  long: { seconds: 60, rate: 2000, channels: 50, count: 0 },
  short: { seconds: 4, rate: 400, channels: 20, count: 0 },
  run: async (stage) => {
    const { cluster, random, settings, audience, load } = stage;
    await audience.gather();
    await load.start();
    const end = performance.now() + settings.seconds * 1000;
    let kills = 0;
    const starting = new Set<Promise<void>>();
    await stage.pause(500);
    while (performance.now() < end) {
      const victim = cluster.up[random.below(cluster.up.length)];
      if (victim !== undefined && cluster.up.length > 1) {
        kills++;
        await victim.end('SIGKILL');
        stage.say(`killed ${victim.name}; ${stage.ledger.ok} acknowledged, ${load.rate}/s`);
        const start = victim.start().finally(() => starting.delete(start));
        starting.add(start);
      }
      await stage.pause(Math.max(0, Math.min(EVERY_MS, end - performance.now())));
    }
    await Promise.all(starting);
    return { kills, 'rest ms': await stage.settle() };
  },
};
