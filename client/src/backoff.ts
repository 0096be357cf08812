// How long to wait before another try. Pure.

import type { Random } from './time.js';

export interface BackoffOptions {
  readonly minDelayMs: number;
  readonly maxDelayMs: number;
  readonly random: Random;
}

/** Full jitter: anywhere between the minimum and min(maximum, minimum × 2^failures). `failures` counts from 1. */
export function backoffDelay(failures: number, { minDelayMs, maxDelayMs, random }: BackoffOptions): number {
  const ceiling = Math.min(maxDelayMs, minDelayMs * 2 ** failures);
  return Math.round(minDelayMs + random() * Math.max(0, ceiling - minDelayMs));
}
