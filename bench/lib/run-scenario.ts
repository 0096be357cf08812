// Runs every server through every case of a scenario, round after round, one at a time; prints progress only.
import type { Scenario, Settings } from '../scenarios/scenario.js';
import { serverNamed } from '../servers/registry.js';
import { formatFigure } from './figures.js';
import type { Sample } from './load.js';
import { type Bench, measure } from './measure.js';
import { rotate } from './stats.js';
import type { Series } from './summary.js';

export interface ScenarioRun {
  readonly scenario: Scenario;
  readonly settings: Settings;
}

/**
 * Servers take turns within a round, and another one begins each round: so a slow minute of the machine falls on
 * all of them and not on one.
 */
export async function runScenario(bench: Bench, { scenario, settings }: ScenarioRun): Promise<Series[]> {
  const servers = settings.servers.map(serverNamed);
  const cases = scenario.cases(settings);
  const collected = cases.flatMap((each) =>
    servers.map(({ name }) => ({ case: each.label, server: name, samples: [] as Sample[] })),
  );
  for (let round = 0; round < settings.rounds; round++) {
    for (const { label, plan } of cases) {
      for (const server of rotate(servers, round)) {
        const sample = await measure(bench, server, plan);
        collected
          .find((series) => series.case === label && series.server === server.name)
          ?.samples.push(sample);
        const value = formatFigure(scenario.figure, sample[scenario.figure] ?? Number.NaN);
        console.error(`${scenario.name} ${round + 1}/${settings.rounds}  ${label}  ${server.name}  ${value}`);
      }
    }
  }
  return collected;
}
