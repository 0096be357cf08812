// Options of the polling transport. Types, defaults, units and meanings.

import { z } from 'zod';

export const pollingOptions = z.object({
  /** Seconds a poll waits when it does not say. */
  defaultWaitSeconds: z.int().min(0).max(300).default(25),
  /** Most seconds a poll may wait; more is taken as this. Shorter than the idle time-out of any common proxy, which is 60 s. */
  maxWaitSeconds: z.int().min(0).max(300).default(55),
});

export type PollingOptions = z.infer<typeof pollingOptions>;
