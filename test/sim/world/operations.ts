// What each line of a plan does to the world. Everything chooses its target by the numbers of its line and by what is there, so a line
// means much the same when others are taken out.

import { TrunklineError } from '../../../src/core/errors.js';
import { BACKEND } from '../../../src/core/identity.js';
import { CLOSE } from '../../../src/protocol/codes.js';
import type { Instance } from './instance.js';
import type { Connection } from './network.js';
import { BURST_FROM, type Kind, type Step } from './plan.js';
import { CHANNELS } from './settings.js';
import { REDIS } from './store.js';
import type { User } from './user.js';
import type { World } from './world.js';

/** Makes a publication about 150 bytes long, so that an outbox of a few kilobytes fills. */
export const EVENT = 'm'.repeat(60);
const BURST = 40;
/** Milliseconds until a client finds a silent connection dead: a heartbeat, half of one, and some. */
const UNNOTICED_MS = 5500;
const KEYS = [':m:', ':s:', ':p:', ':k:'];

/** Returns for how many milliseconds it lasts; undefined when there was nothing to do it to. */
type Act = (world: World, step: Step) => number | undefined;

const REFUSED: ReadonlySet<string> = new Set(['unavailable']);

/** By the application itself, on one instance. */
function publishAt(
  world: World,
  { life }: Instance,
  call: { op: number; n: number; channel: string; key?: string },
): void {
  const { journal } = world;
  const { op, n, channel, key } = call;
  if (life === undefined) return;
  const keyed = key === undefined ? {} : { key };
  journal.add({ k: 'invoke', op, n, c: channel, ...keyed, t: journal.now() });
  life.realtime
    .publishRaw({ channel, event: EVENT, data: String(op), idempotencyKey: key, identity: BACKEND })
    .then(
      ({ epoch, offset, id, duplicate: dup }) => {
        if (life.alive) journal.add({ k: 'ok', op, n, epoch, offset, id, dup, t: journal.now() });
      },
      (error: unknown) => {
        const code = error instanceof TrunklineError ? error.code : String(error);
        if (life.alive)
          journal.add({ k: REFUSED.has(code) ? 'fail' : 'unknown', op, n, code, t: journal.now() });
      },
    );
}

const user = ({ users }: World, { a }: Step): User => users[a % users.length] as User;
const channel = ({ b }: Step): string => CHANNELS[b % CHANNELS.length] as string;

function instance({ instances }: World, place: number): Instance | undefined {
  const up = instances.filter(({ state }) => state === 'up');
  return up[place % up.length];
}

function connectionOf(world: World, name: string, place: number): Connection | undefined {
  const all = world.network.of(name);
  return all[place % all.length];
}

/** Starts it again after `ms`. */
function revive(world: World, target: Instance, ms: number): void {
  const { schedule } = world;
  schedule.at(schedule.now + ms, () => target.start());
}

function burst(world: World, step: Step, into: string): number | undefined {
  const target = instance(world, step.a);
  if (target === undefined) return undefined;
  const first = BURST_FROM + step.n * BURST;
  for (let at = 0; at < BURST; at++) publishAt(world, target, { op: first + at, n: 1, channel: into });
  return 0;
}

const LANES = ['both', 'toServer', 'toClient'] as const;

const ACTS: Readonly<Record<Kind, Act>> = {
  publish: (world, step) => {
    user(world, step).publish(step.n, channel(step));
    return 0;
  },
  publishPlain: (world, step) => {
    const target = instance(world, step.a);
    if (target === undefined) return undefined;
    publishAt(world, target, { op: step.n, n: 1, channel: channel(step) });
    return 0;
  },
  publishShared: (world, step) => {
    const [one, two] = [instance(world, step.a), instance(world, step.a + 1)];
    if (one === undefined || two === undefined) return undefined;
    const call = { op: step.n, channel: channel(step), key: `shared${step.n}` };
    publishAt(world, one, { ...call, n: 1 });
    const { schedule } = world;
    schedule.at(schedule.now + (step.ms % 20), () => publishAt(world, two, { ...call, n: 2 }));
    return 0;
  },
  burst: (world, step) => burst(world, step, channel(step)),
  subscribe: (world, step) => (user(world, step).subscribe(channel(step)) ? 0 : undefined),
  unsubscribe: (world, step) => (user(world, step).unsubscribe(channel(step)) ? 0 : undefined),
  reload: (world, step) => {
    user(world, step).reload(false);
    return 0;
  },
  vanish: (world, step) => {
    user(world, step).reload(true);
    return 3000;
  },
  history: (world, step) => {
    user(world, step).history(channel(step), 1 + (step.ms % 20));
    return 0;
  },
  presence: (world, step) => {
    user(world, step).presence('room');
    return 0;
  },
  revoke: (world, step) => {
    const target = instance(world, step.b);
    void target?.life?.realtime.revoke(user(world, step).parts.user).catch(() => {});
    return target && 0;
  },
  disconnect: (world, step) => {
    const target = instance(world, step.b);
    void target?.life?.realtime.disconnect(user(world, step).parts.user, CLOSE.moved).catch(() => {});
    return target && 0;
  },

  cut: (world, step) => {
    const connection = connectionOf(world, user(world, step).name, step.b);
    connection?.cut();
    return connection && 50;
  },
  silence: (world, step) => {
    const connection = connectionOf(world, user(world, step).name, step.b);
    connection?.silence(LANES[step.ms % LANES.length] ?? 'both');
    return connection && UNNOTICED_MS;
  },
  holdUser: (world, step) => {
    world.network.hold(user(world, step).name, step.ms * 3);
    return step.ms * 3;
  },
  slow: (world, step) => {
    const until = world.schedule.now + step.ms * 3;
    const { name, wanted } = user(world, step);
    const all = world.network.of(name);
    for (const { toClient } of all) toClient.hold(until);
    // More than its outbox may hold comes meanwhile.
    const [first = channel(step)] = wanted.keys();
    burst(world, step, first);
    return all.length === 0 ? undefined : step.ms * 3;
  },
  block: (world, step) => {
    const { blocked, name } = user(world, step);
    const path = step.b % 2 === 0 ? 'websocket' : 'sse';
    const { schedule } = world;
    blocked.add(path);
    for (const connection of world.network.of(name)) connection.cut();
    schedule.at(schedule.now + step.ms * 3, () => blocked.delete(path));
    return step.ms * 3;
  },
  offline: (world, step) => {
    const { page } = user(world, step);
    page.environment?.offline();
    const { schedule } = world;
    schedule.at(schedule.now + step.ms, () => page.environment?.online());
    return step.ms;
  },

  crash: (world, step) => {
    const target = instance(world, step.a);
    const silent = step.b % 3 === 0;
    if (target?.crash(silent) !== true) return undefined;
    revive(world, target, step.ms * 3);
    // Who is told nothing finds out by the heartbeat.
    return silent ? Math.max(step.ms * 3, UNNOTICED_MS) : step.ms * 3;
  },
  drain: (world, step) => {
    const target = instance(world, step.a);
    if (target?.drain() !== true) return undefined;
    revive(world, target, 2500 + step.ms);
    return 2500 + step.ms;
  },
  holdInstance: (world, step) => {
    const target = instance(world, step.a);
    if (target === undefined) return undefined;
    world.network.hold(target.name, step.ms * 2);
    return step.ms * 2;
  },
  cutBackplane: (world, step) => {
    const all = world.network.of(REDIS);
    all[step.a % all.length]?.cut();
    return all.length === 0 ? undefined : 100;
  },
  silenceBackplane: (world, step) => {
    const all = world.network.of(REDIS);
    all[step.a % all.length]?.silence(LANES[step.ms % LANES.length] ?? 'both');
    return all.length === 0 ? undefined : 4000;
  },

  killPubSub: (world, step) =>
    world.store.redis.killPubSub(step.a % 2 === 0 ? 'all' : 'one') > 0 ? 100 : undefined,
  overflow: (world, step) => (world.store.redis.overflow(1 + (step.a % 4), step.ms) ? step.ms : undefined),
  killAll: (world) => (world.store.redis.killAll() > 0 ? 100 : undefined),
  stall: (world, step) => {
    world.store.redis.stall(step.ms * 2);
    return step.ms * 2;
  },
  restart: (world, step) => {
    world.store.redis.restart({ downMs: step.ms, keepData: true });
    return step.ms;
  },
  cutBeforeReply: (world, step) => {
    world.store.redis.cutBeforeReply(1 + (step.a % 3));
    return 100;
  },
  forgetScripts: (world) => {
    world.store.redis.forgetScripts();
    return 0;
  },

  loseWrites: (world, step) => {
    world.lose();
    const count = world.store.redis.loseWrites(1 + (step.a % 12));
    return count > 0 ? 100 : undefined;
  },
  restartEmpty: (world, step) => {
    world.lose();
    world.store.redis.restart({ downMs: step.ms, keepData: false });
    return step.ms;
  },
  flush: (world) => {
    world.lose();
    world.store.redis.flush();
    return 0;
  },
  evict: (world, step) => {
    world.lose();
    const key = world.store.redis.evict(KEYS[step.a % KEYS.length]);
    return key === undefined ? undefined : 0;
  },
};

export function act(world: World, step: Step): number | undefined {
  return ACTS[step.kind](world, step);
}
