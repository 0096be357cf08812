// Options of the server as a whole: where it listens and what it runs. Types, defaults and meanings.

import { z } from 'zod';

export const DOMAINS = ['chat', 'notifications', 'prices'] as const;

export const serverOptions = z.object({
  port: z.int().min(0).max(65_535).default(3000),
  host: z.string().min(1).default('0.0.0.0'),
  /** Milliseconds an idle connection is kept for the next request. Longer than the proxy in front reuses it. At least 1,000. */
  keepAliveMs: z.int().min(1000).max(3_600_000).default(75_000),
  backplane: z.enum(['memory', 'redis'], 'must be memory or redis').default('memory'),
  /** JSON file with rules of channels; empty: none. */
  channelsFile: z.string().default(''),
  tlsCertFile: z.string().default(''),
  tlsKeyFile: z.string().default(''),
  domains: z.array(z.enum(DOMAINS, `may list ${DOMAINS.join(', ')}, or none`)).default([...DOMAINS]),
  /** Domains may make up data where no real source is: development only, no variable sets it. */
  simulate: z.boolean().default(false),
});

export type ServerOptions = z.infer<typeof serverOptions>;
