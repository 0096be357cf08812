// A rate, as people write it and as figures. Knows no limit.

export interface Rate {
  /** Allowed in one period on average. 0: no limit. */
  readonly count: number;
  readonly periodMs: number;
}

const UNITS: ReadonlyMap<string, number> = new Map([
  ['s', 1000],
  ['m', 60_000],
  ['h', 3_600_000],
]);

/** `10/1s`, `600/m`, or `0` for no limit. Undefined when the text is none of these. */
export function parseRate(text: string): Rate | undefined {
  if (text === '0') return { count: 0, periodMs: 1000 };
  const parts = /^([0-9]{1,9})\/([0-9]{0,4})([smh])$/.exec(text);
  if (parts === null) return undefined;
  const periodMs = Number(parts[2] === '' ? '1' : parts[2]) * (UNITS.get(parts[3] as string) as number);
  return periodMs === 0 ? undefined : { count: Number(parts[1]), periodMs };
}
