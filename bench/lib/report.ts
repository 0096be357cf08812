// Turns a scenario's rows into a markdown table and a JSON file; measures nothing.
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import type { Scenario, Settings, Verdict } from '../scenarios/scenario.js';
import type { Pinning } from './cpus.js';
import { figureTexts, formatFigure } from './figures.js';
import { describeMachine, describeVersions } from './machine.js';
import { projectDir, resultsDir } from './paths.js';
import type { Row } from './summary.js';

export interface Report {
  readonly scenario: Scenario;
  readonly settings: Settings;
  readonly rows: readonly Row[];
  readonly pinning: Pinning | undefined;
  /** Whether the run used the scenario's own settings, so that its figures may stand beside older ones. */
  readonly standard: boolean;
}

const tableRow = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`;

export function markdownTable({ scenario, rows }: Report): string {
  const { figure, columns, caseHeading } = scenario;
  const baselines = scenario.baselines.filter((name) => rows.some((row) => name in row.ratioTo));
  const verdicts = rows.map((row) => scenario.judge(row, rows));
  const judged = verdicts.some((verdict) => verdict !== undefined);
  const heading = [
    caseHeading,
    'server',
    ...columns.map((name) => figureTexts[name].heading),
    'lowest–highest',
    ...baselines.map((name) => `× ${name}`),
    ...(judged ? ['target'] : []),
  ];
  const lines = rows.map((row, index) => [
    row.case,
    row.server,
    ...columns.map((name) => formatFigure(name, row.median[name] ?? Number.NaN)),
    `${formatFigure(figure, row.lowest)}–${formatFigure(figure, row.highest)}`,
    ...baselines.map((name) => row.ratioTo[name]?.toFixed(3) ?? ''),
    ...(judged ? [verdictText(verdicts[index])] : []),
  ]);
  return [heading, heading.map((_, column) => (column < 2 ? '---' : '--:')), ...lines]
    .map(tableRow)
    .join('\n');
}

function verdictText(verdict: Verdict | undefined): string {
  if (!verdict) return '';
  return `${verdict.text}: ${verdict.met ? 'met' : 'missed'} (${verdict.measured.toFixed(2)})`;
}

/** Returns the written file's path from the project's root. */
export function writeResult(report: Report): string {
  const { scenario, settings, rows, pinning, standard } = report;
  const file = join(resultsDir, ...(standard ? [] : ['local']), `${scenario.name}.json`);
  const result = {
    scenario: scenario.name,
    about: scenario.about,
    date: new Date().toISOString(),
    machine: describeMachine(),
    versions: describeVersions(),
    cores: pinning ?? 'not pinned',
    settings,
    figure: scenario.figure,
    rows: rows.map((row) => ({ ...row, target: scenario.judge(row, rows) ?? null })),
  };
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, `${JSON.stringify(result, null, 2)}\n`);
  return relative(projectDir, file);
}
