// Options of the limits. Types, defaults, units and the meaning of zero; names of variables live in config.

import { z } from 'zod';
import { LIMITS, type LimitName } from '../core/ports/limits.js';
import { parseRate, type Rate } from '../core/ports/rate.js';
import { isNetwork } from './address.js';

const rate = z.string().transform((text, context) => {
  const parsed = parseRate(text);
  if (parsed === undefined) {
    context.addIssue({ code: 'custom', message: 'must look like 10/1s or 600/m; 0 means no limit' });
    return z.NEVER;
  }
  return parsed;
});

const bound = z.int().min(0);

export const limitsOptions = z.object({
  /** Frames of one session; a burst of twice the count may come at once. */
  messageRate: rate.prefault('10/1s'),
  /** Bytes of frames of one session; a burst of twice the count. Undefined: 16 KiB for each frame of the message rate. */
  byteRate: rate.optional(),
  /** Publishes of one user on all instances together. Undefined: five times the message rate. */
  userMessageRate: rate.optional(),
  /** TCP connections that one address holds at once, whatever they do. 0: no limit. */
  maxConnectionsPerAddress: bound.default(0),
  /** Upgrades and event streams from one address; a burst of twice the count may come at once. */
  connectRate: rate.prefault('0'),
  /** The same of all addresses together. */
  totalConnectRate: rate.prefault('0'),
  /** Wrong credentials from one address; a burst of twice the count, and then no credential from there is looked at. */
  failedLoginRate: rate.prefault('60/1m'),
  /** Sockets of one address without identity and without subscription. 0: no limit. */
  maxStrangersPerAddress: bound.default(2000),
  /** Such sockets on this instance. 0: no limit. */
  maxStrangers: bound.default(10_000),
  /** Bytes of a message from such a socket. 0: as for everybody. */
  strangerFrameBytes: bound.default(4096),
  /** Requests with API keys, together; also the frames of a backend's session. */
  apiRate: rate.prefault('0'),
  /** HTTP requests of one address that carry no API key; for the few routes that strangers may call. */
  httpRate: rate.prefault('100/1m'),
  /** Addresses and networks whose X-Forwarded-For is believed. Empty: none. */
  trustedProxies: z
    .array(
      z
        .string()
        .refine(isNetwork, 'must be addresses or networks such as 10.0.0.0/8, and none of all addresses'),
    )
    .default([]),
  /** Limits that count and refuse nothing; `on` for all of them. */
  dryRun: z
    .array(z.enum(['on', 'off', ...LIMITS], `may list on, off, ${LIMITS.join(', ')}`))
    .default([])
    .transform((names): readonly LimitName[] =>
      names.includes('on') ? LIMITS : names.filter((name) => name !== 'on' && name !== 'off'),
    ),
  /** Keys kept per table at most, about 0.15 KB each; the half that was used last is never forgotten. */
  tableSize: z.int().min(2).default(200_000),
});

export type LimitsOptions = z.infer<typeof limitsOptions>;

/** What a channel takes in one publication, by default, for each frame that may come. */
const BYTES_PER_FRAME = 16_384;
/** Sessions that one user may keep fully busy. */
const BUSY_SESSIONS = 5;

/** Who lifts the limit of frames has lifted those that follow from it. */
export function byteRateOf({ byteRate, messageRate }: LimitsOptions): Rate {
  return byteRate ?? { ...messageRate, count: messageRate.count * BYTES_PER_FRAME };
}

export function userRateOf({ userMessageRate, messageRate }: LimitsOptions): Rate {
  return userMessageRate ?? { ...messageRate, count: messageRate.count * BUSY_SESSIONS };
}
