// What shall happen in a run, drawn from its seed before it begins: users, instances, operations and faults with their moments. A plan from
// which lines were taken out is a plan, too; that is what shrinking does.

import { Chance } from './chance.js';
import { CHANNELS } from './settings.js';
import type { TransportKind } from './user.js';

/** What users and the application do. */
const OPERATIONS = {
  publish: 30,
  publishPlain: 5,
  publishShared: 3,
  burst: 2,
  subscribe: 9,
  unsubscribe: 5,
  reload: 3,
  history: 3,
  presence: 2,
  revoke: 1,
  disconnect: 1,
} as const;

/** What happens to connections of users. */
const USER_FAULTS = { cut: 5, silence: 2, holdUser: 3, slow: 3, block: 2, offline: 2, vanish: 1 } as const;
const INSTANCE_FAULTS = {
  crash: 3,
  drain: 2,
  holdInstance: 2,
  cutBackplane: 2,
  silenceBackplane: 1,
} as const;
const BUS_FAULTS = { killPubSub: 3, overflow: 2 } as const;
const REDIS_FAULTS = {
  ...BUS_FAULTS,
  killAll: 1,
  stall: 2,
  restart: 1,
  cutBeforeReply: 2,
  forgetScripts: 1,
} as const;
const LOSSES = { loseWrites: 3, restartEmpty: 1, flush: 1, evict: 1 } as const;

export type Kind =
  | keyof typeof OPERATIONS
  | keyof typeof USER_FAULTS
  | keyof typeof INSTANCE_FAULTS
  | keyof typeof REDIS_FAULTS
  | keyof typeof LOSSES;

export const KINDS: readonly string[] = [
  ...Object.keys(OPERATIONS),
  ...Object.keys(USER_FAULTS),
  ...Object.keys(INSTANCE_FAULTS),
  ...Object.keys(REDIS_FAULTS),
  ...Object.keys(LOSSES),
];

/** Families of faults, for the table of what happened under what. */
export const FAMILIES: Readonly<Record<string, readonly string[]>> = {
  users: Object.keys(USER_FAULTS),
  instances: Object.keys(INSTANCE_FAULTS),
  redis: Object.keys(REDIS_FAULTS),
  loss: Object.keys(LOSSES),
};

/** After these Redis may have forgotten who came or went without telling it; entries end or come again, but not each listener hears of it. */
export const LOSES_PRESENCE: ReadonlySet<Kind> = new Set(Object.keys(LOSSES) as Kind[]);

export interface Step {
  /** Stays the same when others are taken out; also the number of what is published. */
  readonly n: number;
  /** Milliseconds since the begin of the run. */
  readonly at: number;
  readonly kind: Kind;
  /** Whom and what it is about; each kind makes of it what it needs. */
  readonly a: number;
  readonly b: number;
  readonly ms: number;
}

/** `bus`: nothing but the bus may fail, so that what should put it right has to. */
export const PROFILES = {
  quiet: 1,
  users: 2,
  bus: 2,
  instances: 3,
  redis: 3,
  loss: 4,
} as const;
export type Profile = keyof typeof PROFILES;

export interface Plan {
  readonly seed: number;
  readonly profile: Profile;
  readonly instances: number;
  readonly users: readonly { readonly user: string; readonly kind: TransportKind }[];
  readonly steps: readonly Step[];
}

/** Numbers of publications of one burst come after those of all single ones. */
export const BURST_FROM = 1_000_000;
/** Share of faults among all that happens. */
const FAULTS = 0.12;
const STEPS_PER_LINE = 7;
const PACES_MS = [25, 60, 150, 400] as const;

/** `schedulerSteps`: what the scheduler shall do; a line of the plan makes more than seven of them. */
export function planOf(seed: number, schedulerSteps: number): Plan {
  const most = Math.ceil(schedulerSteps / STEPS_PER_LINE);
  const chance = new Chance(seed, 'plan');
  const profile = chance.weighted(PROFILES);
  const users = Array.from({ length: chance.between(3, 6) }, (_, at) => ({
    user: `u${chance.happens(0.2) && at > 0 ? at : at + 1}`,
    kind: chance.weighted<TransportKind>({ websocket: 5, sse: 2, polling: 2, ladder: 2 }),
  }));
  const steps: Step[] = [];
  let at = 0;
  const add = (kind: Kind): void => {
    steps.push({
      n: steps.length + 1,
      at,
      kind,
      a: chance.below(1000),
      b: chance.below(1000),
      ms: chance.below(1000),
    });
  };
  for (const [place] of users.entries())
    for (const [index] of CHANNELS.entries())
      if (chance.happens(0.5))
        steps.push({
          n: steps.length + 1,
          at: chance.below(300),
          kind: 'subscribe',
          a: place,
          b: index,
          ms: 0,
        });
  const pace = chance.pick(PACES_MS);
  const faults = chance.of('faults');
  for (at = 250; steps.length < most; at += Math.ceil(-Math.log(1 - chance.fraction()) * pace)) {
    if (at > 600 && profile !== 'quiet' && chance.happens(FAULTS)) add(faultOf(profile, faults));
    else add(chance.weighted(OPERATIONS));
  }
  return { seed, profile, instances: chance.between(2, 3), users, steps: steps.sort((x, y) => x.at - y.at) };
}

function faultOf(profile: Profile, chance: Chance): Kind {
  const families: Readonly<Record<Profile, readonly Readonly<Partial<Record<Kind, number>>>[]>> = {
    quiet: [],
    users: [USER_FAULTS],
    bus: [BUS_FAULTS],
    instances: [USER_FAULTS, INSTANCE_FAULTS],
    redis: [USER_FAULTS, INSTANCE_FAULTS, REDIS_FAULTS],
    loss: [USER_FAULTS, INSTANCE_FAULTS, REDIS_FAULTS, LOSSES],
  };
  return chance.weighted(chance.pick(families[profile]) as Record<Kind, number>);
}
