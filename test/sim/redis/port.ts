// What a simulated world sees of the fake Redis: how one is made, how its clients are made, and its faults. Knows no command and no key.

import type { ClientDefaults, ConnectionRole } from '../../../src/backplanes/redis/redis.connection.js';
import type { RedisClient } from '../../../src/backplanes/redis/redis.scripts.js';
import type { Clock, Random } from '../../../src/core/ports/time.js';

/**
 * One direction of one connection. The network calls `deliver` when the bytes have come: later, each once, in the order of `send`; or
 * never, once the connection is half open. It must not call it within `send`.
 */
export interface Wire {
  send(deliver: () => void): void;
}

/** The first thing that goes to the server is the wish to connect; its answer, also a refusal, is the first that comes back. */
export interface Wires {
  readonly toServer: Wire;
  readonly toClient: Wire;
  /** Both ends are closed: what is still under way is of no use to anybody. Called once. */
  readonly over?: () => void;
}

/** For a network that cuts: what was under way never counts after it, so nothing needs to be taken back. Twice is once. */
export interface Ends {
  /** The client's socket breaks now (ECONNRESET); the server is not told. */
  breakClient(): void;
  /** The server's socket breaks now; the client is not told. What came and was not carried out yet is lost. */
  breakServer(): void;
}

/** Who opens a connection, for a network that treats them apart. */
export interface Caller {
  readonly node: string;
  readonly role: ConnectionRole;
}

export interface Network {
  /** For each connection that a client tries to open, again after each reconnect. */
  open(caller: Caller, ends: Ends): Wires;
}

export interface FakeRedisParts {
  readonly clock: Clock;
  /** What is evicted, cut or drawn from a set; pages of a scan. */
  readonly random: Random;
  /** Writes that `loseWrites` can take back. */
  readonly undo?: number;
  /** Fields in one page of a scan, at most; small, so that scans have several pages. */
  readonly scanPage?: number;
}

/** The connections of one instance. */
export interface Connector {
  /** For `RedisBackplaneParts.connect`. */
  readonly connect: (role: ConnectionRole, defaults: ClientDefaults) => RedisClient;
  /**
   * The process is gone at once: no timer and no event of its clients is left. `silent`: the server is not told, as when a machine loses
   * its power; otherwise its kernel closes the connections, what was sent before is still carried out.
   */
  vanish(silent: boolean): void;
}

export interface RedisFaults {
  /** Cuts connections that subscribe, all of them or one drawn by lot. Returns how many. */
  killPubSub(which: 'all' | 'one'): number;
  killAll(): number;
  /** Carries nothing out for `ms` of virtual time; connections stay, also new ones are taken. */
  stall(ms: number): void;
  /**
   * A failover to a replica that lags: the state of `count` writes ago, all connections cut, no script known. A script is one write.
   * Returns how many were taken back.
   */
  loseWrites(count: number): number;
  /** The process ends: connections are cut, new ones are refused until it comes back after `downMs`. */
  restart(options: { readonly downMs: number; readonly keepData: boolean }): void;
  /** FLUSHALL: data gone, connections stay. */
  flush(): void;
  /** Takes away one key drawn by lot, of those whose name contains `part` when given. Returns its name. */
  evict(part?: string): string | undefined;
  /**
   * The output buffer of one subscriber is full: its next `messages` are never sent, then, or after `ms` at the latest, it is cut.
   * Returns whether there was one.
   */
  overflow(messages: number, ms: number): boolean;
  /** The next `count` scripts are carried out, and their connections are cut instead of a reply. */
  cutBeforeReply(count: number): void;
  /** SCRIPT FLUSH. */
  forgetScripts(): void;
}

/** Figures for a report; `lost` are pushes that `overflow` dropped. */
export interface RedisCounts {
  readonly commands: number;
  readonly scripts: number;
  readonly writes: number;
  readonly pushes: number;
  readonly lost: number;
  readonly connections: number;
}

export interface FakeRedis extends RedisFaults {
  readonly up: boolean;
  readonly stalled: boolean;
  /** How many replicas confirm, at once. What one of them confirmed to a WAIT is not lost any more. At first 0. */
  replicas: number;
  readonly counts: RedisCounts;
  connector(node: string, network: Network): Connector;
  /** Past every network: for tests and for checks at the end. Throws what Redis would answer as an error. */
  ask(command: string, ...args: readonly (string | number)[]): unknown;
}

/** `new FakeRedisServer(parts)` in server.ts. */
export type MakeFakeRedis = new (parts: FakeRedisParts) => FakeRedis;
