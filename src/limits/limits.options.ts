// Options of the limits. Types, defaults, units and the meaning of zero; names of variables live in config.

import { z } from 'zod';

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

const rate = z.string().transform((text, context) => {
  const parsed = parseRate(text);
  if (parsed === undefined) {
    context.addIssue({ code: 'custom', message: 'must look like 10/1s or 600/m; 0 means no limit' });
    return z.NEVER;
  }
  return parsed;
});

export const limitsOptions = z.object({
  /** Frames of one session; a burst of twice the count may come at once. */
  messageRate: rate.prefault('10/1s'),
  /** Upgrades and logins from one address; a burst of twice the count. */
  connectRate: rate.prefault('0'),
  /** Requests with API keys, together; also the frames of a backend's session. */
  apiRate: rate.prefault('0'),
  /** HTTP requests of one address that carry no API key; for the few routes that strangers may call. */
  httpRate: rate.prefault('100/1m'),
  /** Buckets kept per table; the longest unused is forgotten first. */
  tableSize: z.int().min(1).default(100_000),
});

export type LimitsOptions = z.infer<typeof limitsOptions>;
