// Lengths of time as people write them, `90s` or `24h`, to milliseconds. Knows no option.

const UNITS: ReadonlyMap<string, number> = new Map([
  ['ms', 1],
  ['s', 1000],
  ['m', 60_000],
  ['h', 3_600_000],
  ['d', 86_400_000],
]);
const TEXT = /^([1-9][0-9]{0,14})(ms|s|m|h|d)$/;

/** Ten years: more is a slip of the unit. */
export const MAX_DURATION_MS = 3650 * 86_400_000;

/** Milliseconds, whole and more than 0, at most ten years; undefined when the value is no such length of time. */
export function parseDuration(value: unknown): number | undefined {
  const ms = typeof value === 'number' ? value : durationOfText(value);
  return ms !== undefined && Number.isSafeInteger(ms) && ms > 0 && ms <= MAX_DURATION_MS ? ms : undefined;
}

function durationOfText(value: unknown): number | undefined {
  const parts = typeof value === 'string' ? TEXT.exec(value) : null;
  if (parts === null) return undefined;
  return Number(parts[1]) * (UNITS.get(parts[2] as string) as number);
}
