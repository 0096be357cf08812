// What the nodes of one cluster in a process share: log, idempotency keys and presence. Every act is one synchronous step; it knows no node.

import type { Position } from '../../protocol/position.js';
import type { Member } from '../../protocol/publication.js';
import type {
  AppendOptions,
  Appended,
  Draft,
  LogSlice,
  PresenceEntry,
  ReadOptions,
  Revocation,
} from '../../core/ports/backplane.js';
import { SILENT_LOGGER, type CoreLogger } from '../../core/ports/application.js';
import type { Cancel, Clock, Random } from '../../core/ports/time.js';
import { MemoryBus } from './memory.bus.js';
import { EmptyChannels } from './memory.empties.js';
import { MemoryKept } from './memory.kept.js';
import { MemoryKeys } from './memory.keys.js';
import { ChannelLog } from './memory.log.js';
import type { MemoryOptions } from './memory.options.js';
import { MemoryPresence, type PresenceChange } from './memory.presence.js';
import { MemoryRevocations } from './memory.revocations.js';

export interface MemoryStoreParts {
  readonly options: MemoryOptions;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger?: CoreLogger;
}

export interface MemorySizes {
  readonly channels: number;
  readonly publications: number;
  /** Channels that never had a publication. */
  readonly empty: number;
  /** Idempotency keys. */
  readonly keys: number;
  /** Channels with members. */
  readonly presence: number;
}

/** Epoch of what is not kept: positions mean nothing there. */
const NO_EPOCH = 'none';
/** 64 bits: two publications of a channel never share an id. */
const ID_BYTES = 8;
/** 72 bits make twelve characters without padding. */
const EPOCH_BYTES = 9;

/** Channels looked at in one turn: at most a few milliseconds. 100,000 channels take about two seconds. */
const SWEEP_STEP = 5000;
const SWEEP_PAUSE_MS = 100;

export class MemoryStore {
  readonly bus: MemoryBus;
  readonly presence = new MemoryPresence();
  readonly revocations: MemoryRevocations;
  private readonly options: MemoryOptions;
  private readonly clock: Clock;
  private readonly random: Random;
  private readonly keys: MemoryKeys;
  private readonly logs = new Map<string, ChannelLog>();
  private readonly empties: EmptyChannels;
  private readonly kept: MemoryKept;
  private users = 0;
  private cancelSweep: Cancel | undefined;

  constructor({ options, clock, random, logger = SILENT_LOGGER }: MemoryStoreParts) {
    this.options = options;
    this.clock = clock;
    this.random = random;
    this.keys = new MemoryKeys(options);
    this.kept = new MemoryKept(options.maxKept);
    this.revocations = new MemoryRevocations(clock);
    this.empties = new EmptyChannels(options, () => random.id(EPOCH_BYTES));
    this.bus = new MemoryBus(clock, logger);
  }

  /** What is held, for figures and for tests of leaks. Walks all channels. */
  get sizes(): MemorySizes {
    let publications = 0;
    for (const log of this.logs.values()) publications += log.length;
    return {
      channels: this.logs.size,
      publications,
      empty: this.empties.size,
      keys: this.keys.size,
      presence: this.presence.channels,
    };
  }

  /** A node uses the store: what expires is swept until the last one has released it. */
  retain(): void {
    this.users++;
    if (this.users === 1) this.scheduleSweep();
  }

  release(): void {
    this.users--;
    if (this.users > 0) return;
    this.cancelSweep?.();
    this.cancelSweep = undefined;
  }

  append(channel: string, draft: Draft, { history, idempotencyKey, except }: AppendOptions): Appended {
    const now = this.clock.now();
    if (idempotencyKey !== undefined) {
      const first = this.keys.find(channel, idempotencyKey, now);
      if (first !== undefined) return { position: first, duplicate: true };
    }
    const { event, data, from, key } = draft;
    const id = this.random.id(ID_BYTES);
    const log = history === undefined ? undefined : this.logToWrite(channel, now);
    const publication = {
      offset: log === undefined ? 0 : log.top.offset + 1,
      id,
      event,
      data,
      from,
      time: now,
      key,
    };
    const previous = log?.top.id || undefined;
    const position =
      log === undefined || history === undefined
        ? { epoch: NO_EPOCH, offset: 0, id }
        : log.append(publication, history);
    if (idempotencyKey !== undefined) this.keys.remember(channel, idempotencyKey, { position, now });
    const delivery = { publication, except, previous };
    this.bus.send({ kind: 'publication', channel, epoch: position.epoch, delivery });
    return { position, duplicate: false };
  }

  read(channel: string, options: ReadOptions): LogSlice {
    const now = this.clock.now();
    const log = this.logToRead(channel, now);
    if (log !== undefined) return log.read(options);
    return { top: this.emptyTop(channel, now), idAtAfter: undefined, publications: [] };
  }

  top(channel: string): Position {
    const now = this.clock.now();
    return this.logToRead(channel, now)?.top ?? this.emptyTop(channel, now);
  }

  enter(channel: string, entry: PresenceEntry, owner: object): void {
    this.tell(this.presence.enter(channel, entry, owner));
  }

  exit(channel: string, entry: PresenceEntry): void {
    this.tell(this.presence.exit(channel, entry.session));
  }

  exitAll(owner: object): void {
    this.tell(this.presence.exitAll(owner));
  }

  revoke(revocation: Revocation): void {
    this.revocations.add(revocation);
    this.bus.revoke(revocation);
  }

  keep(key: string, text: string, ttlMs: number): void {
    this.kept.keep(key, text, { now: this.clock.now(), ttlMs });
  }

  take(key: string): string | undefined {
    return this.kept.take(key, this.clock.now());
  }

  members(channel: string): readonly Member[] {
    return this.presence.members(channel);
  }

  /** Frees all that has expired. */
  sweep(): void {
    const now = this.clock.now();
    for (const [channel, log] of this.logs) this.sweepLog(channel, log, now);
    this.sweepRest(now);
  }

  /** For tests and the simulator: the newest publications of a channel, and what hung on them, were never written. */
  loseLast(channel: string, count: number): void {
    const log = this.logs.get(channel);
    if (log === undefined) return;
    log.loseLast(count);
    this.keys.forgetAfter(channel, log.top.offset);
  }

  /** For tests and the simulator: the publications of a channel are gone, its position is not. */
  expireLog(channel: string): void {
    this.logs.get(channel)?.clear();
  }

  /** For tests and the simulator: the channel was never heard of. */
  expireMeta(channel: string): void {
    this.logs.delete(channel);
    this.empties.delete(channel);
  }

  /**
   * For tests and the simulator: everything is gone at once and nobody is told, as after a restart without data. Revocations stay:
   * each node knows them all and would give them back.
   */
  flush(): void {
    this.logs.clear();
    this.empties.clear();
    this.keys.clear();
    this.presence.clear();
    this.kept.clear();
  }

  private logToRead(channel: string, now: number): ChannelLog | undefined {
    const log = this.known(channel, now);
    log?.touch(now);
    return log;
  }

  private logToWrite(channel: string, now: number): ChannelLog {
    const known = this.known(channel, now);
    if (known !== undefined) return known;
    this.makeRoom();
    const log = new ChannelLog(this.empties.take(channel, now));
    this.logs.set(channel, log);
    return log;
  }

  private known(channel: string, now: number): ChannelLog | undefined {
    const log = this.logs.get(channel);
    if (log === undefined) return undefined;
    if (log.forgotten(now)) {
      this.logs.delete(channel);
      return undefined;
    }
    log.expire(now);
    return log;
  }

  private emptyTop(channel: string, now: number): Position {
    return { epoch: this.empties.touch(channel, now), offset: 0, id: '' };
  }

  /** Each channel that was used since the last look gets a second chance; the first that was not is forgotten. */
  private makeRoom(): void {
    const { maxChannels } = this.options;
    const most = maxChannels === 0 ? Infinity : maxChannels;
    for (const [channel, log] of this.logs) {
      if (this.logs.size < most) return;
      this.logs.delete(channel);
      if (!log.used) continue;
      log.used = false;
      this.logs.set(channel, log);
    }
  }

  private tell(changes: readonly PresenceChange[]): void {
    for (const { channel, event } of changes) this.bus.send({ kind: 'presence', channel, event });
  }

  private sweepLog(channel: string, log: ChannelLog, now: number): void {
    if (log.forgotten(now)) this.logs.delete(channel);
    else log.expire(now);
  }

  private sweepRest(now: number): void {
    this.empties.sweep(now);
    this.keys.sweep(now);
    this.revocations.sweep(now);
    this.kept.sweep(now);
  }

  /** The timer's way to sweep: in steps, so that many channels do not hold up the messages of others. */
  private scheduleSweep(logs = this.logs.entries(), ms = this.options.sweepMs): void {
    this.cancelSweep = this.clock.after(ms, () => {
      const now = this.clock.now();
      for (let step = 0; step < SWEEP_STEP; step++) {
        const next = logs.next();
        if (next.done === true) {
          this.sweepRest(now);
          return this.scheduleSweep();
        }
        this.sweepLog(...next.value, now);
      }
      this.scheduleSweep(logs, SWEEP_PAUSE_MS);
    });
  }
}
