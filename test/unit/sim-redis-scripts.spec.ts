// The fake Redis of the simulator against a real one: the same commands and scripts, the same replies, messages and contents. When a Lua
// file of the backplane changes, its fake in test/sim/redis/scripts must change with it, and this says which.

import { isDeepStrictEqual } from 'node:util';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { EDGES } from '../sim/redis/compare/edges.js';
import { sequences, type Step } from '../sim/redis/compare/steps.js';
import { Twins } from '../sim/redis/compare/twins.js';
import { filesWithoutFake, knownScripts } from '../sim/redis/scripts/registry.js';
import { RedisServer } from '../support/redis-server.js';

/** Fixed, so that a run means the same to all. After a change more sequences with another one are worth a try. */
const SEED = 5;
const SEQUENCES = 300;

let redis: RedisServer;
let twins: Twins;

beforeAll(async () => {
  redis = await RedisServer.start();
  twins = await Twins.over(redis.url);
});

afterAll(async () => {
  twins.close();
  await redis.stop();
});

function nameOf(step: Step): string {
  if (step.kind === 'script') return knownScripts().find(({ name }) => name === step.name)?.file ?? step.name;
  return step.kind === 'command' ? `the command ${step.name}` : 'the end of a key';
}

/** Fails at the first step after which they do not hold the same. */
async function nameWhoKeepsOther(steps: readonly Step[]): Promise<void> {
  for (const [at, step] of steps.entries()) {
    await twins.clear();
    await twins.outcomes(steps.slice(0, at + 1));
    const [real, fake] = await twins.contents();
    expect(fake, `what ${nameOf(step)} keeps differs in step ${at}`).toEqual(real);
  }
  throw new Error('What is kept differs, and not when it is done again.');
}

describe('the fake Redis', () => {
  it('has something for every script of the backplane', () => {
    expect(filesWithoutFake()).toEqual([]);
    expect(knownScripts().length).toBeGreaterThan(10);
  });

  it('replies, tells and keeps what a real one does', { timeout: 120_000 }, async () => {
    const met = new Set<string>();
    await fc.assert(
      fc.asyncProperty(sequences, async (steps) => {
        await twins.clear();
        const [real = [], fake = []] = await twins.outcomes(steps);
        steps.forEach((step, at) => {
          met.add(nameOf(step));
          expect(fake[at], `${nameOf(step)} differs in step ${at}`).toEqual(real[at]);
        });
        const [realKeys, fakeKeys] = await twins.contents();
        if (!isDeepStrictEqual(fakeKeys, realKeys)) await nameWhoKeepsOther(steps);
      }),
      { seed: SEED, numRuns: SEQUENCES, examples: EDGES.map((steps) => [[...steps]]) },
    );
    expect([...met]).toEqual(expect.arrayContaining(knownScripts().map(({ file }) => file)));
  });
});
