// The rule about readers where the store lost writes: offsets are used anew then, so what follows what is told by ids alone. Knows no reader
// but by what it wrote down.

import type { Facts } from './facts.js';
import type { Entry } from './history.js';

/** One reading of a log: offset → id. */
type Reading = ReadonlyMap<number, string>;

interface Last {
  readonly epoch: string;
  readonly offset: number;
  readonly id: string;
  readonly at: number;
}

/** Rule 5, by ids: what stands before a message in the log is what its reader saw before it, or the reader was told. */
export function checkSuccession(facts: Facts): void {
  if (facts.losses.length === 0) return;
  const readings = readingsOf(facts);
  const last = new Map<string, Last>();
  for (const { at, entry } of facts.lines) {
    if (entry.k === 'begin' || entry.k === 'leave') last.delete(`${entry.s} ${entry.c}`);
    if (entry.k !== 'msg') continue;
    const { s, c, epoch, offset, id } = entry;
    const before = last.get(`${s} ${c}`);
    last.set(`${s} ${c}`, { epoch, offset, id, at });
    if (before?.epoch !== epoch || before.offset !== offset - 1) continue;
    const known = (readings.get(`${c} ${epoch}`) ?? []).filter((log) => log.get(offset) === id);
    const others = known.filter((log) => log.has(before.offset));
    if (others.length > 0 && !others.some((log) => log.get(before.offset) === before.id))
      facts.breach(
        '5',
        `${s} saw ${offset} of ${c} (${id}) after another ${before.offset} (${before.id}) than the log has.`,
        before.at,
        at,
      );
  }
}

function readingsOf({ lines }: Facts): Map<string, Reading[]> {
  const found = new Map<string, Map<number, Map<number, string>>>();
  for (const { entry } of lines) {
    if (entry.k !== 'kept' && entry.k !== 'log') continue;
    const where = `${entry.c} ${entry.epoch}`;
    const readings = found.get(where) ?? new Map<number, Map<number, string>>();
    found.set(where, readings);
    const number = numberOf(entry);
    const reading = readings.get(number) ?? new Map<number, string>();
    readings.set(number, reading.set(entry.offset, entry.id));
  }
  return new Map([...found].map(([where, readings]) => [where, [...readings.values()]]));
}

/** The reading at the end comes after all others. */
function numberOf(entry: Extract<Entry, { k: 'kept' | 'log' }>): number {
  return entry.k === 'kept' ? entry.n : Infinity;
}
