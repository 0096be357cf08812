// G18: the instance that holds half of all clients is killed. All come back within seconds to the others, whose publishes stay fast, and
// Redis is asked by the channel and not by the client.

import type { Instance } from '../cluster.js';
import { postMessage } from '../publishers.js';
import { spreadOf, type Spread } from '../report.js';
import { SdkReader } from '../sdk-reader.js';
import type { Scenario, Stage } from '../stage.js';
import { Track } from '../track.js';

/** As the client waits in production. */
const PATIENT = { minDelayMs: 500, maxDelayMs: 20_000, stableAfterMs: 10_000, requestTimeoutMs: 10_000 };
const BACK_MS = 15_000;
/** Clients that connect at one time while the crowd gathers. */
const AT_ONCE = 40;
/** A survivor with nobody to compare with may take this long: a machine with two cores is all theirs only in between. */
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
  long: { seconds: 5, rate: 20, channels: 20, count: 4000 },
  short: { seconds: 1, rate: 20, channels: 10, count: 500 },
  run: async (stage) => {
    const { cluster, settings, audience, ledger } = stage;
    const [victim, ...others] = cluster.instances as readonly [Instance, ...Instance[]];
    const returns: number[] = [];
    let killedAt = Infinity;
    const atFirst = new Map<SdkReader, Instance>();
    for (let at = 0; at < settings.count; at++) {
      const home = at % 2 === 0 ? victim : (others[(at >> 1) % others.length] as Instance);
      const reader = makeReader(stage, at, () => (home.up ? home : cluster.pick(stage.random)));
      reader.onReturn = () => returns.push(performance.now() - killedAt);
      atFirst.set(reader, home);
      audience.sdk.push(reader);
    }
    await gather(audience.sdk);
    stage.say(`${settings.count} clients, half of them on ${victim.name}`);
    const before = await publishFor(stage, settings.seconds * 1000, () => false);
    const commands = await cluster.commands();
    killedAt = performance.now();
    await victim.end('SIGKILL');
    const homeless = [...atFirst.values()].filter((home) => home === victim).length;
    const during = await publishFor(stage, BACK_MS * 2, () => returns.length >= homeless);
    const asked = grownBy(await cluster.commands(), commands);
    const total = [...asked.values()].reduce((sum, calls) => sum + calls, 0);
    const back = spreadOf(returns);
    stage.say(`${returns.length} of ${homeless} are back; ${ledger.ok} acknowledged`);
    stage.expect(returns.length === homeless, 'G18', `${homeless - returns.length} did not come back.`);
    stage.expect(back.p99 <= BACK_MS, 'G18', `Coming back took ${back.p99} ms at p99.`);
    const limit = Math.max(LEAST_P99_MS, before.p99 * 3);
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
      'rest ms': await stage.settle(BACK_MS),
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

function makeReader({ channels, history, random }: Stage, at: number, pick: () => Instance): SdkReader {
  const track = new Track(`client-${at}`, history);
  const own = [channels[at % channels.length] as string];
  return new SdkReader({ track, channels: own, transport: 'websocket', random, pick, waits: PATIENT });
}

async function gather(readers: readonly SdkReader[]): Promise<void> {
  const waiting = [...readers];
  const one = async (): Promise<void> => {
    for (let reader = waiting.pop(); reader !== undefined; reader = waiting.pop()) await reader.start();
  };
  await Promise.all(Array.from({ length: AT_ONCE }, one));
}

/** An even trickle through the survivors, until it is enough. */
async function publishFor(stage: Stage, ms: number, enough: () => boolean): Promise<Spread> {
  const { ledger, channels, random, settings, history, cluster } = stage;
  const from = ledger.outcomes.length;
  const end = performance.now() + ms;
  const pending = new Set<Promise<unknown>>();
  const survivors = cluster.instances.slice(1);
  while (performance.now() < end && !enough()) {
    const op = ledger.nextOp();
    const channel = channels[random.below(channels.length)] as string;
    const attempt = { op, n: 1, channel, key: undefined, sentAt: history.now() };
    ledger.invoke(attempt);
    const instance = survivors[random.below(survivors.length)] as Instance;
    const sent = postMessage(instance, attempt).then((answer) => ledger.settle(attempt, answer));
    pending.add(sent);
    void sent.finally(() => pending.delete(sent));
    await stage.pause(1000 / settings.rate);
  }
  await Promise.all(pending);
  return spreadOf(ledger.outcomes.slice(from).map((outcome) => outcome.ms));
}
