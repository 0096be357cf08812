// The short form of every chaos scenario, one after another on one cluster; `npm run chaos` runs the long forms.

import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { report } from '../support/e2e-server.js';
import { ChaosCluster } from './cluster.js';
import { describeBreaches, describeFigures } from './report.js';
import { SCENARIOS } from './scenarios.js';
import { runScenario, SLACK_MS } from './stage.js';

/** Milliseconds for one scenario, which takes 3 to 13 s. Its own limits are reached before this one. */
const LIMIT_MS = 150_000;
const SEED = 7;

let cluster: ChaosCluster;

beforeAll(async () => {
  cluster = await ChaosCluster.start();
});

afterAll(() => cluster.close());

describe('three instances on one Redis', () => {
  it.each(SCENARIOS)('$promise holds under $name: $about', { timeout: LIMIT_MS }, async (scenario) => {
    const settings = { ...scenario.short, seed: SEED, slackMs: SLACK_MS.short };
    const { figures, breaches, lines } = await runScenario(scenario, { settings, cluster, say: () => {} });
    report(`${scenario.name}: ${describeFigures(figures)}`);
    expect(describeBreaches(breaches, lines)).toBe('');
  });
});
