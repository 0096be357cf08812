// What every run has in common: channels with their rules, and waits short enough that a few seconds of virtual time show everything.

import { coreOptions } from '../../../src/core/core.options.js';
import { DEFAULT_POLICY, type ChannelPolicy } from '../../../src/core/policy.js';
import type { ChannelRouter } from '../../../src/core/ports/application.js';
import { soundRedisOptions } from '../../../src/backplanes/redis/redis.options.js';
import { pollingOptions } from '../../../src/transports/polling/polling.options.js';
import { sseOptions } from '../../../src/transports/sse/sse.options.js';

const HOUR_MS = 3_600_000;

/** Bytes that may wait for one session; about thirty messages. */
export const OUTBOX_BYTES = 4000;

export const CORE_OPTIONS = coreOptions.parse({
  outboxBytes: OUTBOX_BYTES,
  outboxMessages: 40,
  maxSessionsPerUser: 0,
  heartbeatMs: 3000,
  expiryNoticeMs: 2000,
  leaveGraceMs: 400,
  resumeMessages: 60,
  tailMessages: 4,
  // As promised and no sooner, so that what is found before is found by other means.
  positionCheckMs: 10_000,
  feedLingerMs: 150,
});

export const REDIS_OPTIONS = soundRedisOptions.parse({
  url: 'redis://redis:6379',
  connectTimeoutMs: 500,
  commandTimeoutMs: 800,
  beatMs: 700,
  nodeTtlMs: 3000,
  entryTtlMs: 20_000,
});

export const SSE_OPTIONS = sseOptions.parse({ heartbeatMs: 2000, maxStreamMs: 15_000, closeTimeoutMs: 1000 });
export const POLLING_OPTIONS = pollingOptions.parse({});

export const CLIENT_OPTIONS = {
  minDelayMs: 50,
  maxDelayMs: 1000,
  stableAfterMs: 2000,
  requestTimeoutMs: 1500,
  pollSeconds: 2,
} as const;

/** Milliseconds a channel with the rule `short` keeps its log. */
export const SHORT_TTL_MS = 2500;

const OPEN: ChannelPolicy = { ...DEFAULT_POLICY, history: { size: 1000, ttlMs: HOUR_MS } };

/** One of each kind: what a channel is called is what its rules are. */
export const POLICIES: Readonly<Record<string, ChannelPolicy>> = {
  room: { ...OPEN, presence: true },
  long: OPEN,
  small: { ...OPEN, history: { size: 6, ttlMs: HOUR_MS } },
  short: { ...OPEN, history: { size: 1000, ttlMs: SHORT_TTL_MS } },
  drop: { ...OPEN, overflow: 'drop-oldest' },
};

export const CHANNELS: readonly string[] = Object.keys(POLICIES);
export const PRESENCE_CHANNEL = 'room';

export const ROUTER: ChannelRouter = {
  resolve(channel) {
    const policy = POLICIES[channel];
    return policy && { channel, params: new Map(), policy, handlers: undefined };
  },
};
