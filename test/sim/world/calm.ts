// The end of a run: faults stop, and within a bounded virtual time every user must be connected, caught up and counted as present; then
// what is published must come at once.

import { BACKEND } from '../../../src/core/identity.js';
import { TrunklineError } from '../../../src/core/errors.js';
import { EVENT } from './operations.js';
import type { Profile } from './plan.js';
import { CHANNELS, PRESENCE_CHANNEL } from './settings.js';
import type { User } from './user.js';
import type { Watch } from './watch.js';
import type { World } from './world.js';

/**
 * Milliseconds: a node that is gone is noticed after 3 s and three beats, a half-open connection after 6 s, an idle channel is compared
 * with its log every 10 s, and polls look at members as often.
 */
const BOUND_MS = 40_000;
/** Between two looks. */
const LOOK_MS = 250;
/** For what is published into the calm: far less than any check that would find it lost. */
const PROMPT_MS = 900;
/** Milliseconds until everything is right where only the bus failed: a token may just end, or a revoked user come back. */
const MENDED_MS = 5000;
const MOST_TRIES = 3;
/** Numbers of the publications at the end. */
export const LAST_FROM = 900_000_000;

export interface CalmParts {
  readonly world: World;
  readonly watch: Watch;
  readonly profile: Profile;
  readonly until: (end: number) => Promise<void>;
}

export class Calm {
  private readonly world: World;
  private readonly watch: Watch;
  /** Where the publications at the end stand. */
  private readonly placed = new Map<string, number>();

  constructor(private readonly parts: CalmParts) {
    this.world = parts.world;
    this.watch = parts.watch;
  }

  async play(): Promise<void> {
    const { world, watch } = this;
    const { schedule } = world;
    for (const { blocked, page } of world.users) {
      blocked.clear();
      page.environment?.online();
    }
    // What was still to be cut is not.
    world.store.redis.cutBeforeReply(0);
    await this.parts.until(Math.max(schedule.now, watch.lastFault));
    for (const instance of world.instances) instance.start();
    // Where nothing but the bus failed, its return must put everything right, and not the check that comes every ten seconds.
    const bounded = this.parts.profile === 'bus' ? MENDED_MS : BOUND_MS;
    for (const text of await this.settle(bounded)) watch.breach('liveness', text);
    if (watch.breaches.length > 0) return;
    await this.prompt();
    for (const text of await this.settle(BOUND_MS)) watch.breach('liveness', text);
  }

  /** What is still open after `boundMs`. */
  private async settle(boundMs: number): Promise<readonly string[]> {
    const { schedule } = this.world;
    const end = schedule.now + boundMs;
    let open = this.open();
    while (open.length > 0 && schedule.now < end) {
      await this.parts.until(schedule.now + LOOK_MS);
      open = this.open();
    }
    return open;
  }

  /** What is not as it should be. */
  private open(): string[] {
    const { world } = this;
    const found: string[] = [];
    for (const { name, state, life } of world.instances)
      if (state !== 'up' || life?.core.healthy() !== true) found.push(`${name} is ${state}, and not well.`);
    for (const user of world.users) found.push(...this.openOf(user));
    const there = world.store.users(PRESENCE_CHANNEL).join();
    const wanted = this.wanted().join();
    if (there !== wanted) found.push(`Present are ${there || 'none'}, and should be ${wanted || 'none'}.`);
    return found;
  }

  private openOf({ page, reader, wanted, parts, leftOut }: User): string[] {
    const { sdk } = page;
    if (sdk.state !== 'connected') return [`${reader} is ${sdk.state}: ${sdk.reason}.`];
    const found: string[] = [];
    for (const name of wanted.keys()) {
      const channel = sdk.channel(name);
      const top = this.world.store.top(name);
      const { position } = channel;
      if (!channel.subscribed) found.push(`${reader} is not in ${name}.`);
      else if (
        position?.epoch !== top?.epoch ||
        Math.max(position?.offset ?? 0, leftOut.get(name) ?? 0) !== top?.offset
      )
        found.push(`${reader} is at ${position?.offset} of ${name}, whose top is ${top?.offset}.`);
    }
    // A leave that a lost store knows nothing of is told to nobody; who asks anew is told the truth.
    if (wanted.has(PRESENCE_CHANNEL) && parts.kind === 'websocket' && !this.world.presenceLost) {
      const seen = [...sdk.channel(PRESENCE_CHANNEL).members.keys()].sort().join();
      const right = this.wanted().join();
      if (seen !== right)
        found.push(`${reader} sees ${seen || 'nobody'} in ${PRESENCE_CHANNEL} instead of ${right}.`);
    }
    return found;
  }

  private wanted(): string[] {
    const there = this.world.users.filter(({ wanted }) => wanted.has(PRESENCE_CHANNEL));
    return [...new Set(there.map(({ parts }) => parts.user))].sort();
  }

  /** One publication into each channel reaches all who listen, without any repair. */
  private async prompt(): Promise<void> {
    const { world, watch } = this;
    for (const at of CHANNELS.keys()) this.publish(at, 1);
    await this.parts.until(world.schedule.now + PROMPT_MS);
    for (const { page, reader, wanted, parts, leftOut } of world.users) {
      // Streams and polls are opened anew now and then, with each token for instance, which takes its time.
      if (page.sdk.state !== 'connected' || parts.kind !== 'websocket') continue;
      for (const name of wanted.keys()) {
        const offset = this.placed.get(name) ?? 0;
        const heard = Math.max(page.sdk.channel(name).position?.offset ?? 0, leftOut.get(name) ?? 0);
        if (heard < offset)
          watch.breach(
            'prompt',
            `${reader} has not heard ${offset} of ${name} ${PROMPT_MS} ms after it was published.`,
          );
      }
    }
  }

  /** Refused for a moment is asked again, as an application would. */
  private publish(at: number, n: number): void {
    const { world, watch } = this;
    const { journal } = world;
    const life = world.lives[at % world.lives.length];
    const c = CHANNELS[at] ?? '';
    const op = LAST_FROM + at;
    journal.add({ k: 'invoke', op, n, c, t: journal.now() });
    life?.realtime.publishRaw({ channel: c, event: EVENT, data: String(op), identity: BACKEND }).then(
      ({ epoch, offset, id, duplicate: dup }) => {
        this.placed.set(c, offset);
        journal.add({ k: 'ok', op, n, epoch, offset, id, dup, t: journal.now() });
      },
      (error: unknown) => {
        const code = error instanceof TrunklineError ? error.code : String(error);
        if (code !== 'unavailable' || n >= MOST_TRIES)
          return watch.breach('liveness', `A publication into the calm was refused: ${String(error)}.`);
        journal.add({ k: 'fail', op, n, code, t: journal.now() });
        this.publish(at, n + 1);
      },
    );
  }
}
