// Options of the core: bounds of a session. Types, defaults, units and the meaning of zero; names of variables live in config.

import { z } from 'zod';

const bound = z.int().min(0);
/** Longest timer of Node, in milliseconds; a longer one fires at once. */
const MAX_TIMER_MS = 2_147_483_647;

export const coreOptions = z.object({
  /** Bytes that may wait for one session in the process, Node's own stream buffer included. 0: no limit; do not in production. */
  outboxBytes: bound.default(1_048_576),
  /** Messages that may wait for one session. 0: no limit. */
  outboxMessages: bound.default(4096),
  /** Sessions on this instance; more are refused with 503. 0: as many as the open-file limit leaves room for. */
  maxSessions: bound.default(0),
  /** Sessions of one user on this instance; the newcomer is refused. 0: no limit. */
  maxSessionsPerUser: bound.default(16),
  /** Channels one session may be subscribed to. 0: no limit. */
  maxChannelsPerSession: bound.default(128),
  /** Milliseconds between pings; also the time a pong may take. At least 1,000. */
  heartbeatMs: z.int().min(1000).max(MAX_TIMER_MS).default(25_000),
  /** Name of this instance, told to each session. Empty: none is told. */
  instance: z.string().max(64).default(''),
  /** Milliseconds a session without identity and without subscription may stay. */
  strangerMs: z.int().min(100).max(MAX_TIMER_MS).default(10_000),
  /** Milliseconds before the end of a token at which `expiring` is told. */
  expiryNoticeMs: z.int().min(0).max(MAX_TIMER_MS).default(30_000),
  /** Milliseconds a leave waits for the user to come back. */
  leaveGraceMs: z.int().min(0).max(MAX_TIMER_MS).default(2000),
  /** Most publications one resume may give; more is refused with `too_many`. More than an outbox holds, so that who was cut off can come back. */
  resumeMessages: z.int().min(1).default(5000),
  /** Newest publications of each channel in use that are also held in memory, for those who come back. 0: none. */
  tailMessages: bound.max(10_000).default(100),
  /** Bytes of all of these together; channels that were quiet for the longest time make room. */
  tailBytes: bound.default(16_777_216),
  /** Milliseconds between comparisons of idle channels with the top of their log. At most 10,000: that much is promised. */
  positionCheckMs: z.int().min(100).max(10_000).default(5000),
  /** Milliseconds a revocation is remembered: at least the longest life of a token, or a refused one becomes good again. 30 days. */
  revocationMs: z.int().min(60_000).max(315_360_000_000).default(2_592_000_000),
  /** Revocations that are remembered at a time, about 0.3 KB each; one more is refused. 0: no limit. */
  maxRevocations: bound.default(100_000),
  /** Milliseconds an unused channel stays subscribed on the backplane, so that a quick return costs nothing. */
  feedLingerMs: z.int().min(0).max(MAX_TIMER_MS).default(1000),
});

export type CoreOptions = z.infer<typeof coreOptions>;
