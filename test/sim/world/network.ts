// The network of a run: connections of two lanes, each in order within itself and none with another, that can be slow, held, silent or cut.

import type { Chance } from './chance.js';
import type { Schedule } from './schedule.js';

/** One direction. What was sent first comes first. */
export class Lane {
  private readonly queue: (() => void)[] = [];
  private last = 0;
  private heldUntil = 0;
  /** From here on nothing comes any more, and nobody is told. */
  silent = false;
  closed = false;
  private ending = false;

  constructor(
    private readonly schedule: Schedule,
    private readonly chance: Chance,
    private readonly delay: Delay,
  ) {}

  send(deliver: () => void): void {
    if (this.closed || this.silent || this.ending) return;
    this.queue.push(deliver);
    const { now } = this.schedule;
    this.last = Math.max(this.last, now + delayOf(this.chance, this.delay), this.heldUntil);
    this.schedule.at(this.last, this.next);
  }

  /** Nothing comes before `until`; it is not lost. */
  hold(until: number): void {
    this.heldUntil = Math.max(this.heldUntil, until);
  }

  /** `last` is what comes at the very end. */
  end(last: () => void): void {
    this.send(last);
    this.ending = true;
  }

  close(): void {
    this.closed = true;
    this.queue.length = 0;
  }

  /** Each event takes the head of the queue, so an event that had to wait cannot overtake. */
  private readonly next = (): void => {
    if (this.closed || this.silent) return;
    if (this.heldUntil > this.schedule.now) this.schedule.at(this.heldUntil, this.next);
    else this.queue.shift()?.();
  };
}

/** Milliseconds on the way: mostly up to `usual`, now and then up to `spike`. */
export interface Delay {
  readonly usual: number;
  readonly spike: number;
}

const SPIKES = 0.03;

function delayOf(chance: Chance, { usual, spike }: Delay): number {
  const dice = chance.fraction();
  return dice < SPIKES ? 1 + Math.floor((dice / SPIKES) * spike) : 1 + Math.floor(chance.fraction() * usual);
}

/** One end of a connection is told that it broke. */
export interface Ends {
  breakClient(): void;
  breakServer(): void;
}

export interface ConnectionParts {
  readonly client: string;
  readonly server: string;
  readonly ends: Ends;
  readonly delay: Delay;
}

/** A connection between two processes: `client` opened it, `server` took it. */
export class Connection {
  readonly toServer: Lane;
  readonly toClient: Lane;
  over = false;

  readonly client: string;
  readonly server: string;
  private readonly ends: Ends;

  constructor(
    private readonly network: Network,
    { client, server, ends, delay }: ConnectionParts,
  ) {
    this.client = client;
    this.server = server;
    this.ends = ends;
    const { schedule } = network;
    const chance = network.chanceOf(`${client}>${server}`);
    this.toServer = new Lane(schedule, chance, delay);
    this.toClient = new Lane(schedule, chance, delay);
    const held = Math.max(network.heldUntil(client), network.heldUntil(server));
    if (held > schedule.now) this.hold(held);
  }

  /** Both ends learn it, each when its packet comes; what was under way is lost. */
  cut(): void {
    if (!this.finish()) return;
    const { schedule, breakDelay } = this.network;
    schedule.at(schedule.now + breakDelay(), () => this.ends.breakClient());
    schedule.at(schedule.now + breakDelay(), () => this.ends.breakServer());
  }

  /** One end is gone. What it had sent still comes, and then the other learns of it; `silent`: neither, as when the power fails. */
  drop(side: 'client' | 'server', silent: boolean): void {
    if (this.over) return;
    this.over = true;
    this.network.forget(this);
    const [out, back] = side === 'client' ? [this.toServer, this.toClient] : [this.toClient, this.toServer];
    const { ends } = this;
    back.close();
    if (silent) out.close();
    else out.end(side === 'client' ? () => ends.breakServer() : () => ends.breakClient());
  }

  /** Half open: what is sent from now on, and what is under way, never comes. */
  silence(lanes: 'both' | 'toServer' | 'toClient'): void {
    if (lanes !== 'toClient') this.toServer.silent = true;
    if (lanes !== 'toServer') this.toClient.silent = true;
  }

  hold(until: number): void {
    this.toServer.hold(until);
    this.toClient.hold(until);
  }

  /** Ended in good order; nobody needs to be told. False: it was over already. */
  finish(): boolean {
    if (this.over) return false;
    this.over = true;
    this.toServer.close();
    this.toClient.close();
    this.network.forget(this);
    return true;
  }
}

export class Network {
  readonly connections = new Set<Connection>();
  private readonly holds = new Map<string, number>();
  private readonly opened = new Map<string, number>();
  private readonly chance: Chance;

  constructor(
    readonly schedule: Schedule,
    chance: Chance,
  ) {
    this.chance = chance;
  }

  open(parts: ConnectionParts): Connection {
    const connection = new Connection(this, parts);
    this.connections.add(connection);
    return connection;
  }

  /** Each connection draws from its own line, whatever others do. */
  chanceOf(name: string): Chance {
    const count = (this.opened.get(name) ?? 0) + 1;
    this.opened.set(name, count);
    return this.chance.of(`${name}#${count}`);
  }

  readonly breakDelay = (): number => 1 + this.chance.below(20);

  forget(connection: Connection): void {
    this.connections.delete(connection);
  }

  of(...ends: readonly string[]): Connection[] {
    return [...this.connections].filter((connection) =>
      ends.every((end) => connection.client === end || connection.server === end),
    );
  }

  /** Partition: nothing to or from `end` passes for `ms`; then all of it comes. */
  hold(end: string, ms: number): void {
    const until = this.schedule.now + ms;
    this.holds.set(end, Math.max(until, this.heldUntil(end)));
    for (const connection of this.of(end)) connection.hold(until);
  }

  heldUntil(end: string): number {
    return this.holds.get(end) ?? 0;
  }
}
