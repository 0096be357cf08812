// The benchmark command: reads the flags, refuses what cannot run, runs the scenarios and prints their tables.
import { channelsBench } from './channels/channels.js';
import { helpText, readFlags, type Request } from './flags.js';
import { hostileBench } from './hostile/hostile.js';
import { BenchError } from './lib/bench-error.js';
import { choosePinning } from './lib/cpus.js';
import { buildLoadClient } from './lib/load.js';
import type { Bench } from './lib/measure.js';
import { markdownTable, type Report, writeResult } from './lib/report.js';
import { runScenario } from './lib/run-scenario.js';
import { summarise } from './lib/summary.js';
import { publishBench } from './publish/publish.js';
import { serverNamed } from './servers/registry.js';

/** Returns the exit code: 1 when something could not be measured. A missed target is a figure, not a failure. */
export async function main(args: readonly string[]): Promise<number> {
  try {
    const [first, ...rest] = args;
    if (first === 'publish') {
      await publishBench(rest);
      return 0;
    }
    if (first === 'channels') {
      await channelsBench(rest);
      return 0;
    }
    if (first === 'hostile') {
      await hostileBench(rest);
      return 0;
    }
    const requests = readFlags(args);
    if (!requests) {
      console.log(helpText());
      return 0;
    }
    refuseUnavailable(requests);
    const bench: Bench = { loadClient: buildLoadClient(), pinning: choosePinning() };
    if (!bench.pinning) console.error('Not pinned: taskset and two cores are needed for figures to compare.');
    for (const request of requests) await runAndReport(bench, request);
    return 0;
  } catch (error) {
    if (!(error instanceof BenchError)) throw error;
    console.error(error.message);
    return 1;
  }
}

/** Asked before anything runs: a missing build should not show after ten minutes. */
function refuseUnavailable(requests: readonly Request[]): void {
  const named = new Set(requests.flatMap(({ settings }) => settings.servers));
  for (const server of [...named].map(serverNamed)) {
    const why = server.unavailable?.();
    if (why !== undefined) throw new BenchError(`${server.name}: ${why}`);
  }
}

async function runAndReport(bench: Bench, request: Request): Promise<void> {
  const { scenario, settings, standard } = request;
  const series = await runScenario(bench, request);
  const rows = summarise(series, scenario);
  const report: Report = { scenario, settings, rows, pinning: bench.pinning, standard };
  console.log(`\n## ${scenario.name}\n\n${scenario.about}; median of ${settings.rounds} rounds\n`);
  console.log(markdownTable(report));
  console.log(`\nwritten to ${writeResult(report)}`);
}
