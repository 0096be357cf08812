// What a scenario is: cases to load each server with, the figure to compare, and the targets; runs nothing.
import type { FigureName } from '../lib/load.js';
import type { RunPlan } from '../lib/measure.js';
import type { Row } from '../lib/summary.js';

/** What a run may change from the command line. */
export interface Settings {
  readonly servers: readonly string[];
  readonly rounds: number;
  /** Length of the measured part of a run. */
  readonly seconds: number;
  readonly sockets: readonly number[];
  readonly inFlight: readonly number[];
}

export interface Case {
  readonly label: string;
  readonly plan: RunPlan;
}

export interface Verdict {
  readonly text: string;
  readonly measured: number;
  readonly limit: number;
  readonly met: boolean;
}

export interface Scenario {
  readonly name: string;
  readonly about: string;
  readonly defaults: Settings;
  cases(settings: Settings): readonly Case[];
  /** Heading of the case column. */
  readonly caseHeading: string;
  /** The figure that ratios and targets speak of; lower is better. */
  readonly figure: FigureName;
  readonly columns: readonly FigureName[];
  /** Servers to give ratios to, where they were measured in the same run. */
  readonly baselines: readonly string[];
  /** The target of a row, or undefined when it has none or the needed baseline was not measured. */
  judge(row: Row, rows: readonly Row[]): Verdict | undefined;
}

export const atMost = (limit: number, measured: number, text: string): Verdict => ({
  text,
  measured,
  limit,
  met: measured <= limit,
});
