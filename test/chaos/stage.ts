// What a scenario is given: a cluster, readers, a load, a history; and how its run is judged. Knows no scenario.

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { SeededRandom } from '../support/seeded-random.js';
import { Audience } from './audience.js';
import { check } from '../checker/checker.js';
import { ChaosCluster, type ClusterOptions } from './cluster.js';
import type { Breach, Rules } from '../checker/facts.js';
import { HistoryFile, readHistory, type Line } from '../checker/history.js';
import { Ledger } from './ledger.js';
import { Load } from './load.js';
import type { Figures } from './report.js';

export interface Settings {
  /** How long the faults last. */
  readonly seconds: number;
  readonly seed: number;
  /** Publications a second. */
  readonly rate: number;
  readonly channels: number;
  /** Clients of a storm, rounds of a repeated fault: what the scenario counts. */
  readonly count: number;
  /** Milliseconds that the machine may add to what is promised. */
  readonly slackMs: number;
}

/** A long form has the machine for itself; a short one runs beside other tests, on as little as two cores. */
export const SLACK_MS = { long: 1000, short: 4000 } as const;

export type Size = Omit<Settings, 'seed' | 'slackMs'>;

export interface Scenario {
  readonly name: string;
  /** The promise it tests. */
  readonly promise: string;
  readonly about: string;
  readonly rules: Rules;
  readonly cluster?: ClusterOptions;
  /** The rule its channels are of. */
  readonly family?: 'chaos' | 'people';
  /** `long`: by hand. `short`: with the tests. */
  readonly long: Size;
  readonly short: Size;
  run(stage: Stage): Promise<Figures>;
}

/** Milliseconds within which everybody must stand at the top once the faults are over: G12 promises it for channels where nothing happens. */
const REST_MS = 10_000;

let runs = 0;

interface StageParts {
  readonly name: string;
  readonly family: string;
  readonly path: string;
  readonly say: (text: string) => void;
}

export class Stage {
  readonly random: SeededRandom;
  readonly channels: readonly string[];
  readonly history: HistoryFile;
  readonly ledger: Ledger;
  readonly audience: Audience;
  readonly load: Load;
  readonly breaches: Breach[] = [];
  private readonly began = performance.now();

  constructor(
    readonly cluster: ChaosCluster,
    readonly settings: Settings,
    private readonly parts: StageParts,
  ) {
    const { seed, rate } = settings;
    // Channels of their own, since the runs of the tests share one cluster.
    const family = `${parts.family}:${parts.name}-${process.pid}-${++runs}`;
    const channels = Array.from({ length: settings.channels }, (_, n) => `${family}-${n}`);
    const random = new SeededRandom(seed);
    const history = new HistoryFile(parts.path);
    this.random = random;
    this.channels = channels;
    this.history = history;
    this.ledger = new Ledger(history);
    this.audience = new Audience({ cluster, history, random, channels });
    const pick = this.anywhere;
    this.load = new Load({ ledger: this.ledger, channels, rate, random, pick });
  }

  readonly anywhere: Load['options']['pick'] = (except) => this.cluster.pick(this.random, except);

  /** For people, and into the history. */
  say(text: string): void {
    this.history.note(text);
    this.parts.say(`  ${((performance.now() - this.began) / 1000).toFixed(1)} s  ${text}`);
  }

  /** A fault comes at a time, not at an event. */
  pause(ms: number): Promise<void> {
    return new Promise((resolve) => setTimeout(resolve, ms));
  }

  /** A promise beside the rules of the checker. */
  expect(holds: boolean, rule: string, text: string): void {
    if (!holds) this.breaches.push({ rule, text, lines: [] });
  }

  /** Ends load and faults, waits until everybody is at the top, and reads the log out. Milliseconds it took them. */
  async settle(promisedMs = REST_MS): Promise<number> {
    const limitMs = promisedMs + this.settings.slackMs;
    await this.cluster.mend();
    await this.load.stop();
    const ms = await this.audience.rest(limitMs);
    this.say(
      ms < limitMs ? `everybody at the top after ${ms} ms` : `not everybody at the top in ${limitMs} ms`,
    );
    await this.audience.readLog();
    return ms;
  }

  close(): void {
    this.load.abandon();
    this.audience.stop();
    this.history.close();
  }

  /** What every run can tell. */
  figures(): Figures {
    const { load, ledger, audience } = this;
    return {
      'messages/s': load.rate,
      'held back': load.heldBack,
      'cores of the driver': load.driverShare,
      acknowledged: ledger.ok,
      'not acknowledged': JSON.stringify(Object.fromEntries(ledger.codes)),
      delivered: audience.delivered,
      connections: audience.connections,
    };
  }
}

export interface Verdict {
  readonly figures: Figures;
  readonly breaches: readonly Breach[];
  readonly lines: readonly Line[];
  /** The file with the history; removed when nothing is wrong. */
  readonly path: string;
  /** What the instances printed. */
  readonly output: string;
}

export interface RunOptions {
  readonly settings: Settings;
  /** One of the caller's; a new one when left out. */
  readonly cluster?: ChaosCluster;
  readonly say: (text: string) => void;
}

export async function runScenario(
  scenario: Scenario,
  { settings, cluster: given, say }: RunOptions,
): Promise<Verdict> {
  const folder = mkdtempSync(join(tmpdir(), 'trunkline-chaos-'));
  const path = join(folder, 'history.jsonl');
  const cluster = given ?? (await ChaosCluster.start(scenario.cluster));
  try {
    await cluster.mend();
    const stage = new Stage(cluster, settings, {
      name: scenario.name,
      family: scenario.family ?? 'chaos',
      path,
      say,
    });
    let figures: Figures = {};
    try {
      figures = await scenario.run(stage);
    } catch (error) {
      stage.expect(
        false,
        'the run itself',
        error instanceof Error ? (error.stack ?? error.message) : String(error),
      );
    }
    // Readers that leave now would look as if they had never been behind.
    stage.history.note('end');
    const common = stage.figures();
    const { breaches } = await judge(stage, { path, rules: scenario.rules });
    const lines = breaches.length === 0 ? [] : readHistory(path);
    if (breaches.length === 0) rmSync(folder, { recursive: true, force: true });
    const output = cluster.instances.map((instance) => `${instance.name}: ${instance.output}`).join('\n');
    return { figures: { ...figures, ...common }, breaches, lines, path, output };
  } finally {
    if (given === undefined) await cluster.close();
  }
}

async function judge(
  stage: Stage,
  { path, rules }: { readonly path: string; readonly rules: Rules },
): Promise<{ readonly breaches: readonly Breach[] }> {
  stage.close();
  // What closing readers still say must be past before the file is read.
  await new Promise((resolve) => setImmediate(resolve));
  const lines = readHistory(path);
  const end = lines.findLast(({ entry }) => entry.k === 'note' && entry.text === 'end')?.at ?? lines.length;
  return { breaches: [...stage.breaches, ...check(lines.slice(0, end), rules)] };
}
