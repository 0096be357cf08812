// One run: the plan carried out while everything fails, then calm, and the proof that calm puts everything right. Gives what happened and
// what was found wrong. Knows no command line.

import { check } from '../../checker/checker.js';
import type { Breach } from '../../checker/facts.js';
import { linesOf, type Entry, type Line } from '../../checker/history.js';
import { Calm } from './calm.js';
import { Coverage } from './coverage.js';
import { breathe, drive, Seal, type Drive } from './drive.js';
import { act } from './operations.js';
import { LOSES_PRESENCE, type Plan } from './plan.js';
import { START_MS } from './schedule.js';
import { CHANNELS, POLICIES } from './settings.js';
import { Watch } from './watch.js';
import { World } from './world.js';

export interface Outcome {
  readonly plan: Plan;
  readonly lines: readonly Line[];
  readonly breaches: readonly Breach[];
  /** Carried out while things failed, and in all. */
  readonly stormSteps: number;
  readonly steps: number;
  readonly virtualMs: number;
  readonly coverage: Coverage;
  /** Lines of the plan that were reached. */
  readonly reached: number;
}

export interface RunOptions {
  /** Things the scheduler does until calm comes. */
  readonly steps: number;
  readonly drive?: Drive;
}

/** Milliseconds after the last line of a plan that was cut short. */
const TAIL_MS = 300;

export async function run(plan: Plan, options: RunOptions): Promise<Outcome> {
  await breathe();
  const world = new World(plan);
  const seal = new Seal(() => world.schedule.now);
  seal.close();
  try {
    return await new Run({ world, plan, options, seal }).play();
  } finally {
    seal.open();
  }
}

interface RunParts {
  readonly world: World;
  readonly plan: Plan;
  readonly options: RunOptions;
  readonly seal: Seal;
}

class Run {
  private readonly coverage = new Coverage();
  private readonly world: World;
  private readonly watch: Watch;
  private reached = 0;
  private calm = false;

  constructor(private readonly parts: RunParts) {
    this.world = parts.world;
    this.watch = new Watch(parts.world);
  }

  async play(): Promise<Outcome> {
    const { world, plan, options } = this.parts;
    const { schedule, journal } = world;
    for (const instance of world.instances) instance.start();
    for (const user of world.users) user.start();
    for (const step of plan.steps) schedule.at(START_MS + step.at, () => this.carryOut(step));
    const end = START_MS + (plan.steps.at(-1)?.at ?? 0) + TAIL_MS;
    await this.until(end, () => schedule.steps < options.steps);
    const stormSteps = schedule.steps;
    const calm = new Calm({
      world,
      watch: this.watch,
      profile: plan.profile,
      until: (until) => this.until(until),
    });
    this.calm = true;
    journal.note('calm');
    await calm.play();
    this.readLogs();
    const lines = linesOf(journal.entries);
    const breaches = [
      ...this.watch.breaches,
      ...check(lines, { noGaps: (c, why) => mayNot(c, why, world.losses > 0) }),
    ];
    const { steps, now } = schedule;
    const { coverage, reached } = this;
    return { plan, lines, breaches, stormSteps, steps, virtualMs: now - START_MS, coverage, reached };
  }

  private carryOut(step: Plan['steps'][number]): void {
    if (this.calm) return;
    this.reached++;
    const { world, coverage } = this;
    const { now } = world.schedule;
    world.journal.note(`· ${step.n} ${step.kind} ${step.a} ${step.b} ${step.ms}`);
    const lasts = act(world, step);
    if (lasts !== undefined) coverage.did(step.kind, now, now + lasts);
    if (lasts !== undefined && LOSES_PRESENCE.has(step.kind)) world.presenceLost = true;
    this.watch.faultUntil(now + (lasts ?? 0));
  }

  private async until(end: number, wanted: () => boolean = () => true): Promise<void> {
    const { options, seal, world } = this.parts;
    const { schedule } = world;
    const step = (): boolean => {
      this.watch.look();
      return wanted() && schedule.step(end);
    };
    await (options.drive ?? drive)(step, seal);
    if (wanted()) schedule.now = Math.max(schedule.now, end);
  }

  /** What the log has at the end, as far as the rules of the channel keep it. */
  private readLogs(): void {
    const { store, journal, losses } = this.world;
    for (const c of CHANNELS) {
      const top = store.top(c);
      if (top === undefined) continue;
      const { epoch, offset } = top;
      const size = POLICIES[c]?.history?.size ?? 0;
      const rows = store.log(c);
      const entries: Entry[] = rows.map((row) => ({ k: 'log', c, epoch, ...row }));
      // Only where the log may end by its time, or was lost, it may itself say what it still has.
      const sure = losses === 0 && c !== 'short';
      const from = sure ? Math.max(1, offset - size + 1) : (rows[0]?.offset ?? offset + 1);
      for (const entry of [...entries, { k: 'top', c, epoch, offset, from } as const]) journal.add(entry);
    }
  }
}

/** A hole that only the client saw is never right; from these channels nothing takes anything but a loss. */
function mayNot(channel: string, why: string, lossy: boolean): boolean {
  if (why === 'lost') return true;
  return !lossy && why !== 'too_many' && (channel === 'room' || channel === 'long');
}
