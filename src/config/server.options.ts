// Options of the server as a whole: where it listens and what it runs. Types, defaults and meanings.

import { z } from 'zod';

export const DOMAINS = ['chat', 'notifications', 'prices'] as const;

export const serverOptions = z.object({
  port: z.int().min(0).max(65_535).default(3000),
  host: z.string().min(1).default('0.0.0.0'),
  /** Milliseconds an idle connection is kept for the next request. Longer than the proxy in front reuses it. At least 1,000. */
  keepAliveMs: z.int().min(1000).max(3_600_000).default(75_000),
  /** TCP connections held at once; more are closed unread. 0: as many as the open-file limit leaves room for. */
  maxConnections: z.int().min(0).default(0),
  backplane: z.enum(['memory', 'redis'], 'must be memory or redis').default('memory'),
  /** JSON file with rules of channels; empty: none. */
  channelsFile: z.string().default(''),
  tlsCertFile: z.string().default(''),
  tlsKeyFile: z.string().default(''),
  /** Milliseconds between two looks whether the certificate was replaced; no variable sets it. */
  tlsCheckMs: z.int().min(10).max(3_600_000).default(10_000),
  domains: z.array(z.enum(DOMAINS, `may list ${DOMAINS.join(', ')}, or none`)).default([...DOMAINS]),
  /** Domains may make up data where no real source is: development only, no variable sets it. */
  simulate: z.boolean().default(false),
});

export type ServerOptions = z.infer<typeof serverOptions>;
