// G3: replies to publishes are cut between Redis and the server, and between the server and its client. The publish is tried again on two
// other instances at once, with the same key: one publication comes of it, at one place.

import { ChaosProxy } from '../../support/chaos-proxy.js';
import { until } from '../../support/wait.js';
import type { Instance } from '../cluster.js';
import type { Attempt } from '../ledger.js';
import { postMessage } from '../post.js';
import { ReplyCutter } from '../reply-cutter.js';
import type { Scenario, Stage } from '../stage.js';

/** Bytes of the answer of Redis, about; and of the server, with its head. */
const REDIS_REPLY = 70;
const HTTP_REPLY = 900;
const LIFE_MS = 300_000;

export const cutReplies: Scenario = {
  name: 'cut-replies',
  promise: 'G3',
  about: 'replies cut after the publish was done, and the same key tried on two other instances at once',
  rules: { noGaps: true },
  long: { seconds: 0, rate: 0, channels: 5, count: 400 },
  short: { seconds: 0, rate: 0, channels: 5, count: 100 },
  run: async (stage) => {
    const { cluster, settings, audience, random, ledger } = stage;
    await audience.gather();
    const cutter = await ReplyCutter.start(cluster.redis.port);
    const victim = await cluster.extra(cutter.url);
    const front = cluster.instances[0] as Instance;
    const faults = ['cut-response'] as const;
    const cutAfter = [1, HTTP_REPLY] as const;
    const target = Number(new URL(front.url).port);
    const proxy = await ChaosProxy.start({ target, seed: settings.seed, faults, cutAfter, lifeMs: LIFE_MS });
    let lost = 0;
    try {
      for (let way = 0; way < settings.count; way++) {
        const behind = way % 2 === 0;
        if (behind)
          await until(async () => (await fetch(`${victim.url}/health/ready`)).status === 200, 'Redis');
        const first = await tryThrice(stage, behind ? { cutter, victim } : { url: proxy.url, front }, way);
        if (!first) lost++;
        if (random.below(20) === 0) stage.say(`${way + 1} ways, ${lost} replies lost`);
      }
    } finally {
      await Promise.all([victim.end('SIGKILL'), cutter.close(), proxy.close()]);
    }
    stage.expect(
      lost >= settings.count / 4,
      'the harness',
      `Only ${lost} of ${settings.count} replies were lost.`,
    );
    return {
      ways: settings.count,
      'replies lost': lost,
      'answered as repeats': ledger.repeats,
      'rest ms': await stage.settle(),
    };
  },
};

type Way =
  | { readonly cutter: ReplyCutter; readonly victim: Instance }
  | { readonly url: string; readonly front: Instance };

/** True when the first answer came through all the same. */
async function tryThrice(stage: Stage, way: Way, at: number): Promise<boolean> {
  const { ledger, random, channels, cluster } = stage;
  const op = ledger.nextOp();
  const channel = channels[op % channels.length] as string;
  const key = `way-${process.pid}-${op}`;
  const publish = async (
    n: number,
    send: (attempt: Attempt) => ReturnType<typeof postMessage>,
  ): Promise<boolean> => {
    const attempt = { op, n, channel, key, sentAt: stage.history.now() };
    ledger.invoke(attempt);
    return ledger.settle(attempt, await send(attempt)).kind === 'ok';
  };
  const first = publish(1, (attempt) => {
    if ('url' in way) return postMessage(way.front, attempt, way.url);
    way.cutter.arm({ text: key, bytes: random.below(REDIS_REPLY), reset: random.below(2) === 0 });
    return postMessage(way.victim, attempt);
  });
  // Every third way the others do not wait for the first to fail.
  if (at % 3 !== 0) await first;
  const [, second, third] = cluster.instances as readonly [Instance, Instance, Instance];
  await Promise.all([
    publish(2, (attempt) => postMessage(second, attempt)),
    publish(3, (attempt) => postMessage(third, attempt)),
  ]);
  return first;
}
