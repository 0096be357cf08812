// G2: Redis stands still under load. Nobody is told `ok` meanwhile, everybody is told something in time, and each word was true.

import { spreadOf } from '../report.js';
import type { Scenario } from '../stage.js';

/** What G2 promises. */
const ANSWER_MS = 5000;
/** The signal is on its way. */
const STOPPING_MS = 50;

export const redisStall: Scenario = {
  name: 'redis-stall',
  promise: 'G2',
  about: 'SIGSTOP of Redis under load',
  rules: { noGaps: true },
  long: { seconds: 10, rate: 1000, channels: 30, count: 2 },
  short: { seconds: 4.5, rate: 300, channels: 10, count: 1 },
  run: async (stage) => {
    const { cluster, settings, audience, load, ledger, history } = stage;
    const limit = ANSWER_MS + settings.slackMs;
    await audience.gather();
    await load.start();
    const slow: number[] = [];
    for (let round = 0; round < settings.count; round++) {
      await stage.pause(1000);
      cluster.redis.pause();
      stage.say(`Redis stands still; ${ledger.ok} acknowledged`);
      // What was sent before may have been done before, however late the answer is read.
      await stage.pause(STOPPING_MS);
      const from = history.now();
      await stage.pause(settings.seconds * 1000 - STOPPING_MS);
      const answered = ledger.outcomes.filter(({ sentAt }) => sentAt > from);
      const ok = answered.filter(({ kind }) => kind === 'ok').length;
      stage.expect(answered.length > 0, 'the harness', 'Nothing was answered while Redis stood still.');
      stage.expect(ok === 0, 'G2', `${ok} were sent and acknowledged while Redis stood still.`);
      slow.push(...answered.map(({ ms }) => ms));
      cluster.redis.resume();
      stage.say(`Redis goes on; ${answered.length} were answered meanwhile`);
    }
    const rest = await stage.settle();
    const late = ledger.outcomes.filter(({ ms }) => ms > limit);
    stage.expect(late.length === 0, 'G2', `${late.length} answers took over ${limit} ms.`);
    const silent = ledger.codes.get('no answer') ?? 0;
    stage.expect(silent === 0, 'G2', `${silent} publishes were never answered: their sockets were closed.`);
    return { 'answers while away': spreadOf(slow), 'rest ms': rest };
  },
};
