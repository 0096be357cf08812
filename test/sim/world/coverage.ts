// How often each thing of a plan happened, alone and while something failed. Knows no world.

import { FAMILIES, type Kind } from './plan.js';

const COLUMNS = ['alone', ...Object.keys(FAMILIES)] as const;

export class Coverage {
  /** Kind → family of what failed meanwhile → how often. */
  private readonly rows = new Map<string, Map<string, number>>();
  /** Until when each family fails. */
  private readonly until = new Map<string, number>();

  did(kind: Kind, now: number, end: number): void {
    const row = this.rows.get(kind) ?? new Map<string, number>();
    this.rows.set(kind, row);
    const under = [...this.until].flatMap(([family, last]) => (last > now ? [family] : []));
    for (const column of under.length === 0 ? ['alone'] : under) row.set(column, (row.get(column) ?? 0) + 1);
    row.set('all', (row.get('all') ?? 0) + 1);
    for (const [family, kinds] of Object.entries(FAMILIES))
      if (kinds.includes(kind)) this.until.set(family, Math.max(end, this.until.get(family) ?? 0));
  }

  add(other: Coverage): void {
    for (const [kind, counts] of other.rows) {
      const row = this.rows.get(kind) ?? new Map<string, number>();
      this.rows.set(kind, row);
      for (const [column, count] of counts) row.set(column, (row.get(column) ?? 0) + count);
    }
  }

  count(kind: Kind, column = 'all'): number {
    return this.rows.get(kind)?.get(column) ?? 0;
  }

  get table(): string {
    const columns = ['all', ...COLUMNS];
    const head = `${'what happened'.padEnd(18)}${columns.map((name) => name.padStart(11)).join('')}`;
    const rows = [...this.rows].map(
      ([kind, counts]) =>
        `${kind.padEnd(18)}${columns.map((name) => String(counts.get(name) ?? 0).padStart(11)).join('')}`,
    );
    return [head, ...rows].join('\n');
  }
}
