// `npm run chaos [-- scenario …] [--seconds 60] [--seed 1] [--rate 2000] [--count 100] [--short]`: runs scenarios one after another and tells what came of them.

import { parseArgs } from 'node:util';
import { killProcesses } from '../support/processes.js';
import { describeBreaches, describeFigures } from './report.js';
import { SCENARIOS } from './scenarios.js';
import { runScenario, SLACK_MS, type Scenario, type Settings } from './stage.js';

const OUTPUT_SHOWN = 3000;

function say(text: string): void {
  process.stdout.write(`${text}\n`);
}

/** Broken off by hand: what was started ends, too. Redis ends itself with this process. */
function breakOff(): void {
  void killProcesses();
  process.exit(130);
}

/** The exit code. */
export async function main(args: readonly string[]): Promise<number> {
  const { values, positionals } = parseArgs({
    args: [...args],
    allowPositionals: true,
    options: {
      seconds: { type: 'string' },
      seed: { type: 'string' },
      rate: { type: 'string' },
      count: { type: 'string' },
      channels: { type: 'string' },
      short: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  });
  const unknown = positionals.filter((name) => !SCENARIOS.some((scenario) => scenario.name === name));
  if (values.help || unknown.length > 0) {
    if (unknown.length > 0) say(`There is no scenario ${unknown.join(', ')}.`);
    for (const { name, promise, about } of SCENARIOS) say(`${name.padEnd(18)}${promise.padEnd(5)}${about}`);
    return unknown.length > 0 ? 2 : 0;
  }
  const chosen = SCENARIOS.filter(({ name }) => positionals.length === 0 || positionals.includes(name));
  process.once('SIGINT', breakOff).once('SIGTERM', breakOff);
  let failed = 0;
  for (const scenario of chosen) if (!(await runOne(scenario, settingsOf(scenario, values)))) failed++;
  say(
    failed === 0
      ? `${chosen.length} of ${chosen.length} held.`
      : `${failed} of ${chosen.length} did not hold.`,
  );
  return failed === 0 ? 0 : 1;
}

type Values = Partial<Record<'seconds' | 'seed' | 'rate' | 'count' | 'channels', string>> & {
  readonly short: boolean;
};

function settingsOf(scenario: Scenario, values: Values): Settings {
  const base = values.short ? scenario.short : scenario.long;
  const given = (name: 'seconds' | 'rate' | 'count' | 'channels'): number =>
    Number(values[name] ?? base[name]);
  return {
    seconds: given('seconds'),
    rate: given('rate'),
    count: given('count'),
    channels: given('channels'),
    seed: Number(values.seed ?? Date.now() % 1_000_000),
    slackMs: SLACK_MS[values.short ? 'short' : 'long'],
  };
}

async function runOne(scenario: Scenario, settings: Settings): Promise<boolean> {
  say(`\n── ${scenario.name} (${scenario.promise}): ${scenario.about}; ${JSON.stringify(settings)}`);
  const { figures, breaches, lines, path, output } = await runScenario(scenario, { settings, say });
  say(`  ${describeFigures(figures)}`);
  if (breaches.length === 0) {
    say(`── ${scenario.name} held`);
    return true;
  }
  say(`\n${describeBreaches(breaches, lines)}\n\nThe history is in ${path}\n${output.slice(-OUTPUT_SHOWN)}`);
  say(`── ${scenario.name} did not hold; again with --seed ${settings.seed}`);
  return false;
}
