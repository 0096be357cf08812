// Options of the memory backplane: its bounds and windows. Types, defaults, units and the meaning of zero; knows no variable's name.

import { z } from 'zod';

const bound = z.int().min(0);

export const memoryOptions = z.object({
  /**
   * Channels with history that are remembered. Over it one that was not used lately is forgotten, and who comes back to it is told
   * `epoch_changed`. One costs about 600 bytes with its first publication. 0: no limit.
   */
  maxChannels: bound.default(100_000),
  /** Channels that were asked about and never had a publication; as above, at about 160 bytes each. 0: no limit. */
  maxEmptyChannels: bound.default(100_000),
  /**
   * Milliseconds such an empty channel keeps its epoch after it was last asked about. Instances with subscribers ask every few
   * seconds, so this is how long a subscriber who never saw a message may stay away. At least a minute.
   */
  emptyTtlMs: z.int().min(60_000).default(3_600_000),
  /** Milliseconds an idempotency key gives its first position again. 0: keys are not remembered. */
  idempotencyWindowMs: z.int().min(0).default(300_000),
  /**
   * Idempotency keys remembered at a time, at about 300 bytes each. Over it a publication with a new key is refused with
   * `unavailable`, since forgetting a key early would publish twice. 0: no limit.
   */
  maxIdempotencyKeys: bound.default(1_000_000),
  /** Short texts kept at a time, such as connect tickets; at most some KB each. Over it one more is refused. 0: no limit. */
  maxKept: bound.default(10_000),
  /** Milliseconds between sweeps of what has expired. What has expired is never shown; a sweep only frees its memory. */
  sweepMs: z.int().min(100).default(10_000),
});

export type MemoryOptions = z.infer<typeof memoryOptions>;
/** What may be left out has its default. */
export type MemorySettings = z.input<typeof memoryOptions>;
