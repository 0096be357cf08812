// G2: Redis stands still under load. Nobody is told `ok` meanwhile, everybody is told something in time, and each word was true.

import { spreadOf } from '../report.js';
import type { Scenario } from '../stage.js';

/** What the server promises, and what a busy driver may add. */
const ANSWER_MS = 5000 + 1000;
/** Answers that were on their way when Redis was stopped. */
const UNDER_WAY_MS = 250;

export const redisStall: Scenario = {
  name: 'redis-stall',
  promise: 'G2',
  about: 'SIGSTOP of Redis under load',
  rules: { noGaps: true },
  long: { seconds: 10, rate: 1000, channels: 30, count: 2 },
  short: { seconds: 4.5, rate: 300, channels: 10, count: 1 },
  run: async (stage) => {
    const { cluster, settings, audience, load, ledger } = stage;
    await audience.gather();
    await load.start();
    const slow: number[] = [];
    for (let round = 0; round < settings.count; round++) {
      await stage.pause(1000);
      cluster.redis.pause();
      stage.say(`Redis stands still; ${ledger.ok} acknowledged`);
      await stage.pause(UNDER_WAY_MS);
      const [ok, from] = [ledger.ok, ledger.outcomes.length];
      await stage.pause(settings.seconds * 1000 - UNDER_WAY_MS);
      stage.expect(ledger.ok === ok, 'G2', `${ledger.ok - ok} were acknowledged while Redis stood still.`);
      slow.push(...ledger.outcomes.slice(from).map(({ ms }) => ms));
      cluster.redis.resume();
      stage.say(`Redis goes on; ${ledger.outcomes.length - from} were answered meanwhile`);
    }
    const rest = await stage.settle();
    const late = ledger.outcomes.filter(({ ms }) => ms > ANSWER_MS);
    stage.expect(late.length === 0, 'G2', `${late.length} answers took over ${ANSWER_MS} ms.`);
    const silent = ledger.codes.get('no answer') ?? 0;
    stage.expect(silent === 0, 'G2', `${silent} publishes were never answered: their sockets were closed.`);
    return { 'answers while away': spreadOf(slow), 'rest ms': rest };
  },
};
