// The rules a family of channels may state, in code or in a file: one schema for both, and the policy they come to.

import { z } from 'zod';
import {
  ACCESS_LEVELS,
  DEFAULT_POLICY,
  OVERFLOW_POLICIES,
  type Access,
  type ChannelPolicy,
  type HistoryPolicy,
  type Overflow,
} from '../core/policy.js';
import { parseRate } from '../core/ports/rate.js';
import { isEventName } from '../protocol/names.js';
import { parseDuration } from './duration.js';

export interface ChannelOptions {
  /** Who may subscribe. Default `authenticated`. A handler with `@OnSubscribe` may refuse more. */
  readonly subscribe?: Access | undefined;
  /** Who may publish. Default `authenticated`. A handler with `@OnPublish` may refuse more. */
  readonly publish?: Access | undefined;
  /**
   * Who may read the history. Default: who may subscribe, and an `@OnSubscribe` handler is asked. When set, it decides alone.
   */
  readonly historyAccess?: Access | undefined;
  /** Keep who is present, and tell joins and leaves to those who ask for them. Default false. */
  readonly presence?: boolean | undefined;
  /** The only events that may be published; any when left out. */
  readonly events?: readonly string[] | undefined;
  /** Events that are passed on live and never kept, such as typing. Default none. */
  readonly ephemeral?: readonly string[] | undefined;
  /** What is kept for resume and history; nothing when left out. */
  readonly history?: HistoryOptions | undefined;
  /** Give a new subscriber the last kept publication, for tickers. Needs `history`. Default false. */
  readonly replayLast?: boolean | undefined;
  /** What happens when a reader is too slow. Default `disconnect`: it comes back and resumes. */
  readonly overflow?: Overflow | undefined;
  /** Bytes of payload text of one publication. Default 16,384. 0: only the bound of a frame. */
  readonly maxBytes?: number | undefined;
  /** Publishes of users and strangers together, on each instance, such as `20/1s`; twice the count may come at once. Default none. */
  readonly publishRate?: string | undefined;
}

export interface HistoryOptions {
  /** Publications kept, 1 to 1,000,000. */
  readonly size: number;
  /** How long the history is kept after its last publication: `90s`, `1h`, `7d`, or milliseconds. */
  readonly ttl: string | number;
}

const MAX_HISTORY = 1_000_000;

const oneOf = <const T extends string>(names: readonly T[]) =>
  z.enum(names, { error: `must be one of ${names.map((name) => `"${name}"`).join(', ')}` });
const access = oneOf(ACCESS_LEVELS);
const overflow = oneOf(OVERFLOW_POLICIES);
const flag = z.boolean({ error: 'must be true or false' });
const events = z.array(
  z.custom<string>(isEventName, {
    error: 'must be an event name: 1 to 64 characters without spaces, quotes or backslashes',
  }),
  { error: 'must be a list of event names' },
);
const whole = (min: number, max: number) => {
  const error = `must be a whole number from ${min} to ${max}`;
  return z.int({ error }).min(min, { error }).max(max, { error });
};

const history = z.strictObject(
  {
    size: whole(1, MAX_HISTORY),
    ttl: z.custom<string | number>((value) => parseDuration(value) !== undefined, {
      error: 'must be a length of time such as "90s", "1h" or "7d", or milliseconds; at most 3650 days',
    }),
  },
  { error: messageOfObject('must be an object with "size" and "ttl"; leave it out for no history') },
);

const FIELDS = {
  subscribe: access.optional(),
  publish: access.optional(),
  historyAccess: access.optional(),
  presence: flag.optional(),
  events: events.min(1, { error: 'must name at least one event; leave it out for any' }).optional(),
  ephemeral: events.optional(),
  history: history.optional(),
  replayLast: flag.optional(),
  overflow: overflow.optional(),
  maxBytes: whole(0, 2 ** 31).optional(),
  publishRate: z
    .custom<string>((value) => typeof value === 'string' && parseRate(value) !== undefined, {
      error: 'must be a rate such as "20/1s" or "600/m"; "0" for no limit',
    })
    .optional(),
};

/** The fields as they stand in the rules file, beside `channel`. */
export const CHANNEL_FIELDS = FIELDS;

export const channelOptions = z
  .strictObject(FIELDS, { error: messageOfObject('must be an object of channel options') })
  .superRefine(checkTogether) satisfies z.ZodType<ChannelOptions>;

/** Faults that only show when two fields are read together. */
export function checkTogether(options: ChannelOptions, context: z.RefinementCtx): void {
  const { events: known, ephemeral = [], history: kept, replayLast } = options;
  const strangers = known === undefined ? [] : ephemeral.filter((name) => !known.includes(name));
  if (strangers.length > 0) {
    const message = `names ${strangers.map((name) => `"${name}"`).join(', ')}, which "events" does not allow`;
    context.addIssue({ code: 'custom', path: ['ephemeral'], message });
  }
  if (replayLast === true && kept === undefined) {
    context.addIssue({
      code: 'custom',
      path: ['replayLast'],
      message: 'needs "history": the last publication must be kept',
    });
  }
}

export function toPolicy(options: ChannelOptions): ChannelPolicy {
  return {
    subscribe: options.subscribe ?? DEFAULT_POLICY.subscribe,
    publish: options.publish ?? DEFAULT_POLICY.publish,
    historyAccess: options.historyAccess,
    presence: options.presence ?? DEFAULT_POLICY.presence,
    events: options.events === undefined ? DEFAULT_POLICY.events : new Set(options.events),
    ephemeral: new Set(options.ephemeral),
    history: options.history === undefined ? DEFAULT_POLICY.history : toHistory(options.history),
    replayLast: options.replayLast ?? DEFAULT_POLICY.replayLast,
    overflow: options.overflow ?? DEFAULT_POLICY.overflow,
    maxBytes: options.maxBytes ?? DEFAULT_POLICY.maxBytes,
    publishRate:
      options.publishRate === undefined ? DEFAULT_POLICY.publishRate : parseRate(options.publishRate),
  };
}

function toHistory({ size, ttl }: HistoryOptions): HistoryPolicy {
  return { size, ttlMs: parseDuration(ttl) as number };
}

/** Names what is wrong with an object: not one at all, or fields that nobody knows. */
export function messageOfObject(notAnObject: string): (issue: { code?: string; keys?: string[] }) => string {
  return ({ code, keys = [] }) =>
    code === 'unrecognized_keys'
      ? `has the unknown field ${keys.map((key) => `"${key}"`).join(', ')}`
      : notAnObject;
}

/** One line a fault, with its path: `history.ttl must be …`. */
export function sentencesOf(error: z.core.$ZodError): readonly string[] {
  return error.issues.map(({ path, message }) =>
    path.length === 0 ? message : `${path.join('.')} ${message}`,
  );
}
