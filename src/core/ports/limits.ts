// The limits as core and operations see them: their names, the ledger of what each refused, and who is asked before an act. Knows no
// rate and no table.

import type { Rate } from './rate.js';

/** Every limit that can refuse, by the name it has in metrics, in logs and in the list of dry runs. */
export const LIMITS = [
  'connections',
  'connects',
  'total_connects',
  'strangers',
  'total_strangers',
  'stranger_bytes',
  'failed_logins',
  'sessions',
  'sessions_per_user',
  'channels',
  'frames',
  'bytes',
  'user_messages',
  'publishes',
  'polls',
  'requests',
  'api_requests',
  'http',
] as const;

export type LimitName = (typeof LIMITS)[number];

export interface LimitCount {
  readonly limit: LimitName;
  readonly refused: number;
  /** Over the limit and let through: the limit is in a dry run. */
  readonly spared: number;
}

/** Told of each time a limit is over. */
export type LimitListener = (limit: LimitName, who: string, spared: boolean) => void;

/** Every limit asks here before it refuses, so that each is counted, and can be tried without refusing anybody. */
export class LimitLedger {
  private readonly counts = new Map(LIMITS.map((limit) => [limit, { limit, refused: 0, spared: 0 }]));
  private readonly spares: ReadonlySet<LimitName>;

  /** `dryRun`: the limits that count and refuse nothing. */
  constructor(
    dryRun: Iterable<LimitName> = [],
    private readonly listener: LimitListener = () => {},
  ) {
    this.spares = new Set(dryRun);
  }

  /** Counts one who is over the limit. True: refuse him. */
  refuses(limit: LimitName, who: string): boolean {
    const count = this.counts.get(limit);
    const spared = this.spares.has(limit);
    if (count !== undefined) count[spared ? 'spared' : 'refused']++;
    this.listener(limit, who, spared);
    return !spared;
  }

  /** Whether this limit only counts. */
  isDry(limit: LimitName): boolean {
    return this.spares.has(limit);
  }

  rows(): Iterable<LimitCount> {
    return this.counts.values();
  }
}

export interface PublishAsked {
  /** Undefined for strangers. */
  readonly user: string | undefined;
  readonly channel: string;
  /** What the rules of the channel say; undefined: no limit. */
  readonly rate: Rate | undefined;
}

/** Asked on the road of each message of a user or a stranger, so it waits for nothing. */
export interface PublishGate {
  /** Throws `rate_limited`. */
  check(asked: PublishAsked): void;
}

/** Stands around each check of a credential. */
export interface LoginWatch {
  /** Rejects with `rate_limited` before `login` is called, when too many from this address have failed. Undefined: nobody knows from where. */
  watch<T>(address: string | undefined, login: () => Promise<T>): Promise<T>;
}

export interface CoreLimits {
  readonly ledger: LimitLedger;
  readonly publishes: PublishGate;
  readonly logins: LoginWatch;
}

/** For a core that stands alone: refuses nothing by itself, and counts. */
export function openLimits(): CoreLimits {
  return {
    ledger: new LimitLedger(),
    publishes: { check: () => {} },
    logins: { watch: (_address, login) => login() },
  };
}
