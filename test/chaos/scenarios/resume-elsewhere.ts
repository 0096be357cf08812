// G8: instances are killed, stopped, drained and frozen, and readers are cut all the time: each resumes on another instance.

import type { Instance } from '../cluster.js';
import type { Scenario } from '../stage.js';

const CUT_EVERY_MS = 100;
const FROZEN_MS = 1500;
const BETWEEN_MS = 700;

type Fault = (instance: Instance, pause: (ms: number) => Promise<void>) => Promise<void>;

const FAULTS: readonly (readonly [string, Fault])[] = [
  ['SIGKILL', (instance) => instance.end('SIGKILL').then(() => instance.start())],
  [
    'SIGSTOP',
    async (instance, pause) => {
      instance.pause();
      await pause(FROZEN_MS);
      instance.resume();
    },
  ],
  ['SIGTERM', (instance) => instance.end('SIGTERM').then(() => instance.start())],
];

export const resumeElsewhere: Scenario = {
  name: 'resume-elsewhere',
  promise: 'G8',
  about: 'SIGKILL, SIGTERM and SIGSTOP of instances while readers are cut and resume on another one',
  rules: { noGaps: true },
  long: { seconds: 40, rate: 800, channels: 30, count: 0 },
  short: { seconds: 5, rate: 300, channels: 15, count: 0 },
  run: async (stage) => {
    const { cluster, random, settings, audience, load } = stage;
    await audience.gather();
    await load.start();
    const cutting = setInterval(() => audience.raw[random.below(audience.raw.length)]?.cut(), CUT_EVERY_MS);
    const end = performance.now() + settings.seconds * 1000;
    let faults = 0;
    const under = new Set<Promise<void>>();
    try {
      while (performance.now() < end) {
        // One instance is always left, and there is no fault for an instance that has one.
        const victim = cluster.up[random.below(cluster.up.length)];
        if (victim !== undefined && cluster.up.length > 1) {
          const [name, strike] = FAULTS[faults++ % FAULTS.length] as (typeof FAULTS)[number];
          stage.say(`${name} for ${victim.name}`);
          const fault = strike(victim, (ms) => stage.pause(ms)).finally(() => under.delete(fault));
          under.add(fault);
        }
        await stage.pause(BETWEEN_MS);
      }
      await Promise.all(under);
    } finally {
      clearInterval(cutting);
    }
    return { faults, 'rest ms': await stage.settle() };
  },
};
