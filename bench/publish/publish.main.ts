// The measured process of `publish`: history publishes over Redis beside the bare `publish` of the client library, by turns. Prints one
// line of JSON. Started with REDIS, and a plan in PLAN.
import { Redis } from 'ioredis';
import type { PublishPlan, PublishSample, Turn } from './publish.js';

/** What this program uses of the built server; the bench is compiled without it. */
interface Backplane {
  start(listener: object): Promise<void>;
  stop(): Promise<void>;
  append(channel: string, draft: object, options: object): Promise<unknown>;
}
interface BackplaneModule {
  RedisBackplane: new (parts: object) => Backplane;
}
interface OptionsModule {
  redisOptions: { parse(settings: object): object };
}
interface TimeModule {
  SYSTEM_CLOCK: object;
  SystemRandom: new () => object;
}

const CHANNELS = Array.from({ length: 50 }, (_, n) => `chat:room-${n}`);
/** Bytes of payload, the same for both. */
const DATA = JSON.stringify({ text: 'x'.repeat(190) });
const HISTORY = { size: 100, ttlMs: 3_600_000 };
/** Milliseconds of each turn before the measured ones: code is compiled, channels have their logs. */
const WARM_UP_MS = 500;

const built = async <T>(file: string): Promise<T> =>
  (await import(new URL(`../../../dist/${file}`, import.meta.url).href)) as T;

const nobody = (): void => {};

async function startBackplane(url: string): Promise<Backplane> {
  const { RedisBackplane } = await built<BackplaneModule>('backplanes/redis/redis.backplane.js');
  const { redisOptions } = await built<OptionsModule>('backplanes/redis/redis.options.js');
  const { SYSTEM_CLOCK, SystemRandom } = await built<TimeModule>('core/ports/time.js');
  const logger = { debug: nobody, info: nobody, warn: nobody, error: nobody };
  const parts = { options: redisOptions.parse({ url }), clock: SYSTEM_CLOCK, random: new SystemRandom() };
  const backplane = new RedisBackplane({ ...parts, logger });
  await backplane.start({
    onPublication: nobody,
    onPresence: nobody,
    onControl: nobody,
    onRevocations: nobody,
    onSuspect: nobody,
  });
  return backplane;
}

async function measure(act: () => Promise<unknown>, inFlight: number, ms: number): Promise<PublishSample> {
  const start = performance.now();
  const before = process.cpuUsage();
  let count = 0;
  const one = async (): Promise<void> => {
    while (performance.now() - start < ms) {
      await act();
      count++;
    }
  };
  await Promise.all(Array.from({ length: inFlight }, one));
  const { user, system } = process.cpuUsage(before);
  const elapsedMs = performance.now() - start;
  return {
    cpuUs: Math.round(((user + system) / count) * 100) / 100,
    perSecond: Math.round(count / (elapsedMs / 1000)),
  };
}

const url = process.env['REDIS'] ?? '';
const plan = JSON.parse(process.env['PLAN'] ?? '{}') as PublishPlan;
const bare = new Redis(url);
await bare.ping();
const backplane = await startBackplane(url);
let turn = 0;
const channel = (): string => CHANNELS[turn++ % CHANNELS.length] ?? '';
const draft = { event: 'message', data: DATA, from: { user: 'ana', name: undefined }, key: undefined };
const append = (idempotencyKey: string | undefined): Promise<unknown> =>
  backplane.append(channel(), draft, { history: HISTORY, idempotencyKey, except: undefined });
const acts: Readonly<Record<Turn, () => Promise<unknown>>> = {
  bare: () => bare.publish(channel(), DATA),
  publish: () => append(undefined),
  keyed: () => append(`key ${turn}`),
};

const found: Record<string, Record<Turn, PublishSample[]>> = {};
for (const inFlight of plan.inFlight) {
  const samples: Record<Turn, PublishSample[]> = { bare: [], publish: [], keyed: [] };
  const turns = Object.keys(samples) as Turn[];
  for (const name of turns) await measure(acts[name], inFlight, WARM_UP_MS);
  for (let round = 0; round < plan.rounds; round++)
    for (const name of turns) samples[name].push(await measure(acts[name], inFlight, plan.turnMs));
  found[String(inFlight)] = samples;
}
await backplane.stop();
bare.disconnect();
console.log(JSON.stringify(found));
