// G18: the instance that holds half of all clients is killed. All come back within seconds to the others, whose publishes stay fast, and
// Redis is asked by the channel and not by the client.

import type { Instance } from '../cluster.js';
import { Probe } from '../probe.js';
import { spreadOf } from '../report.js';
import { LightReader } from '../light-reader.js';
import { SdkReader } from '../sdk-reader.js';
import { SLACK_MS, type Scenario, type Stage } from '../stage.js';
import { Track, type ChaosReader } from '../track.js';

/** As the client waits in production. */
const PATIENT = { minDelayMs: 500, maxDelayMs: 20_000, stableAfterMs: 10_000, requestTimeoutMs: 10_000 };
const BACK_MS = 15_000;
/** One in so many is the client itself; the others are sockets that wait and resume as it does, since two cores do not carry thousands. */
const SDK_ONE_IN = 20;
const STEP_MS = 20;
/** Clients that connect at one time while the crowd gathers. */
const AT_ONCE = 40;
/** Three times as long as without a storm, but a survivor may always take so long: readers and servers share the cores with what is measured. */
const LEAST_P99_MS = 50;
/** Commands a channel may cost on each survivor: subscribe, position, and what its clients missed in a few batches. */
const COMMANDS_A_CHANNEL = 5;
/** Signs of life and questions of the harness in that time. */
const COMMANDS_OF_ITSELF = 50;

export const storm: Scenario = {
  name: 'storm',
  promise: 'G18',
  about: 'kill -9 of the instance that holds half of all clients',
  rules: { noGaps: true },
  // As many as two cores bear: of 4,000 all are back within 3 s, but the machine has nothing left for publishes meanwhile.
  long: { seconds: 5, rate: 20, channels: 20, count: 2000 },
  short: { seconds: 1, rate: 20, channels: 10, count: 500 },
  run: async (stage) => {
    const { cluster, settings, audience, ledger, history } = stage;
    const [victim, ...others] = cluster.instances as readonly [Instance, ...Instance[]];
    const returns: number[] = [];
    let killedAt = Infinity;
    let homeless = 0;
    for (let at = 0; at < settings.count; at++) {
      const home = at % 2 === 0 ? victim : (others[(at >> 1) % others.length] as Instance);
      const reader = makeReader(stage, at, () => (home.up ? home : cluster.pick(stage.random)));
      reader.onReturn = () => returns.push(history.now() - killedAt);
      if (home === victim) homeless++;
      audience.crowd.push(reader);
    }
    await gather(audience.crowd);
    stage.say(`${settings.count} clients, half of them on ${victim.name}`);
    const probe = new Probe(stage, others);
    const calmFrom = history.now();
    await stage.pause(settings.seconds * 1000);
    const commands = await cluster.commands();
    const before = probe.spread(calmFrom, (killedAt = history.now()));
    await victim.end('SIGKILL');
    await wait(stage, BACK_MS * 2, () => returns.length >= homeless);
    const over = history.now();
    const asked = grownBy(await cluster.commands(), commands);
    await probe.stop();
    const during = probe.spread(killedAt, over);
    const total = [...asked.values()].reduce((sum, calls) => sum + calls, 0);
    const back = spreadOf(returns);
    stage.say(`${returns.length} of ${homeless} are back; ${ledger.ok} acknowledged`);
    stage.expect(returns.length === homeless, 'G18', `${homeless - returns.length} did not come back.`);
    // The long form is held to the promise itself.
    const slack = settings.slackMs - SLACK_MS.long;
    const soon = BACK_MS + slack;
    stage.expect(back.p99 <= soon, 'G18', `Coming back took ${back.p99} ms at p99; ${soon} are allowed.`);
    const limit = Math.max(LEAST_P99_MS, before.p99 * 3) + slack;
    stage.expect(
      during.p99 <= limit,
      'G18',
      `Publishing took ${during.p99} ms at p99; ${limit} are allowed.`,
    );
    const most = COMMANDS_A_CHANNEL * settings.channels * others.length + during.count + COMMANDS_OF_ITSELF;
    stage.expect(total <= most, 'G18', `${total} commands in the storm; ${most} are enough.`);
    return {
      'back after': back,
      'publish before': before,
      'publish in the storm': during,
      'Redis commands in the storm': JSON.stringify(Object.fromEntries(asked)),
      'rest ms': await stage.settle(),
    };
  },
};

function grownBy(
  after: ReadonlyMap<string, number>,
  before: ReadonlyMap<string, number>,
): Map<string, number> {
  const grown = [...after].map(([name, calls]) => [name, calls - (before.get(name) ?? 0)] as const);
  return new Map(grown.filter(([, calls]) => calls > 0));
}

function makeReader(
  { channels, history, random }: Stage,
  at: number,
  pick: () => Instance,
): SdkReader | LightReader {
  const track = new Track(`client-${at}`, history);
  const channel = channels[at % channels.length] as string;
  // By pairs: every second one is on the instance that dies.
  if ((at >> 1) % SDK_ONE_IN > 0) return new LightReader({ track, channel, random, pick, waits: PATIENT });
  return new SdkReader({ track, channels: [channel], transport: 'websocket', random, pick, waits: PATIENT });
}

async function gather(readers: readonly ChaosReader[]): Promise<void> {
  const waiting = [...readers];
  const one = async (): Promise<void> => {
    for (let reader = waiting.pop(); reader !== undefined; reader = waiting.pop()) await reader.start();
  };
  await Promise.all(Array.from({ length: AT_ONCE }, one));
}

/** Until it is enough, or the time is over. */
async function wait(stage: Stage, ms: number, enough: () => boolean): Promise<void> {
  const end = performance.now() + ms;
  while (performance.now() < end && !enough()) await stage.pause(STEP_MS);
}
