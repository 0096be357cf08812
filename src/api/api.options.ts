// Options of the REST room. Types, defaults, units and the meaning of zero; names of variables live in config.

import { z } from 'zod';

export const apiOptions = z.object({
  /** Bytes of one request body, after inflation; more is answered 413. 0: no limit; do not in production. */
  maxBodyBytes: z.int().min(0).default(1_048_576),
  /** Messages of one batch, and channels of one broadcast; more is answered 400. At least 1. */
  maxBatch: z.int().min(1).max(1000).default(100),
});

export type ApiOptions = z.infer<typeof apiOptions>;

export const API_OPTIONS = Symbol('API_OPTIONS');
