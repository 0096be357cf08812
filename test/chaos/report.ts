// Breaches and figures as text for people. Knows no rule.

import type { Breach } from '../checker/facts.js';
import type { Line } from '../checker/history.js';

/** Lines shown on each side of one that a breach is about, of the same channel or reader and notes. */
const AROUND = 4;
const BREACHES_SHOWN = 5;

export function describeBreaches(breaches: readonly Breach[], lines: readonly Line[]): string {
  const shown = breaches.slice(0, BREACHES_SHOWN).map((breach) => describe(breach, lines));
  const more = breaches.length - shown.length;
  return [...shown, ...(more > 0 ? [`… and ${more} more.`] : [])].join('\n\n');
}

function describe({ rule, text, lines: at }: Breach, lines: readonly Line[]): string {
  return [`rule ${rule}: ${text}`, ...at.flatMap((number) => around(number, lines))].join('\n');
}

function around(at: number, lines: readonly Line[]): readonly string[] {
  const center = lines[at - 1];
  if (center === undefined) return [];
  const related = (line: Line): boolean => isRelated(line, center);
  const before = pick(lines.slice(Math.max(0, at - 20_000), at - 1).reverse(), related).reverse();
  const after = pick(lines.slice(at, at + 20_000), related);
  return [...before, center, ...after].map(
    (line) => `${line === center ? '>' : ' '} ${line.at}: ${JSON.stringify(line.entry)}`,
  );
}

function pick(lines: readonly Line[], related: (line: Line) => boolean): Line[] {
  const found: Line[] = [];
  for (const line of lines) {
    if (found.length === AROUND) break;
    if (related(line)) found.push(line);
  }
  return found;
}

/** The same reader in the same channel, the same publication, or a note. */
function isRelated({ entry }: Line, { entry: center }: Line): boolean {
  if (entry.k === 'note') return true;
  if ('s' in entry && 's' in center) return entry.s === center.s && entry.c === center.c;
  return 'op' in entry && 'op' in center && entry.op === center.op;
}

export interface Spread {
  readonly count: number;
  readonly p50: number;
  readonly p99: number;
  readonly max: number;
}

/** Of milliseconds, rounded. */
export function spreadOf(values: readonly number[]): Spread {
  const sorted = [...values].sort((a, b) => a - b);
  const at = (share: number): number =>
    Math.round((sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0) * 10) / 10;
  return { count: sorted.length, p50: at(0.5), p99: at(0.99), max: at(1) };
}

export type Figures = Readonly<Record<string, number | string | Spread>>;

export function describeFigures(figures: Figures): string {
  return Object.entries(figures)
    .map(([name, value]) => {
      if (typeof value !== 'object') return `${name} ${value}`;
      return `${name} p50 ${value.p50} p99 ${value.p99} max ${value.max} ms (${value.count})`;
    })
    .join('; ');
}
