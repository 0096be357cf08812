// What an adapter brings to the backplane contract, and the short words the contract is written in. Knows no adapter.

import { expect } from 'vitest';
import type { AppendOptions, Appended, Backplane, Draft, LogSlice } from '../../src/core/ports/backplane.js';
import type { PresenceEntry, ReadOptions } from '../../src/core/ports/backplane.js';
import type { Publication } from '../../src/protocol/publication.js';
import { RecordingListener } from '../support/recording-listener.js';

/** What can happen to a store behind the back of its nodes. */
export interface ContractFaults {
  /** The newest publications of a channel were never written, as after a failover. */
  loseLast(channel: string, count: number): Promise<void>;
  /** The store has lost everything and goes on empty. */
  flush(): Promise<void>;
  /** Only the position of a channel is gone; publications that are left must not be shown under a new epoch. */
  expireMeta(channel: string): Promise<void>;
}

export interface ContractCluster {
  /** Three nodes over one store, made and not yet started. */
  readonly nodes: readonly [Backplane, Backplane, Backplane];
  /** Milliseconds. An adapter with a virtual clock gives true values, one that must really wait gives small ones. */
  readonly timing: {
    /** TTL of the history in tests of expiry. */
    readonly ttl: number;
    /** The window of idempotency keys the nodes were made with. */
    readonly idempotency: number;
    /** How far off the clock of the store may be. */
    readonly slack: number;
  };
  readonly faults: ContractFaults;
  /** Milliseconds since 1970 by the clock of the nodes. */
  now(): number;
  /** Resolves when `ms` have passed for the store, really or virtually. */
  pass(ms: number): Promise<void>;
  dispose(): Promise<void>;
}

/** Far more than a test takes, really or virtually. */
const LONG_MS = 3_600_000;

export const HISTORY = { size: 100, ttlMs: LONG_MS };
export type NodeNumber = 0 | 1 | 2;
export const ALL: readonly NodeNumber[] = [0, 1, 2];

export interface Sent extends Partial<Draft>, Partial<AppendOptions> {}

let channels = 0;

/** The cluster of one test, started, with a listener on each node. */
export class Bench {
  readonly ears = [new RecordingListener(), new RecordingListener(), new RecordingListener()] as const;
  private barriers = 0;

  private constructor(readonly cluster: ContractCluster) {}

  static async start(setup: () => Promise<ContractCluster>): Promise<Bench> {
    const bench = new Bench(await setup());
    for (const node of ALL) await bench.node(node).start(bench.ears[node]);
    return bench;
  }

  async end(): Promise<void> {
    for (const node of ALL) await this.node(node).stop();
    await this.cluster.dispose();
  }

  node(number: NodeNumber): Backplane {
    return this.cluster.nodes[number];
  }

  /** A name no other test uses. */
  channel(): string {
    return `contract:${++channels}`;
  }

  /** A channel that all nodes listen to. */
  async heardByAll(channel = this.channel()): Promise<string> {
    await Promise.all(ALL.map((node) => this.node(node).subscribe(channel)));
    return channel;
  }

  append(node: NodeNumber, channel: string, sent: Sent = {}): Promise<Appended> {
    const {
      event = 'message',
      data = '{"n":1}',
      from,
      key,
      history = HISTORY,
      idempotencyKey,
      except,
    } = sent;
    return this.node(node).append(channel, { event, data, from, key }, { history, idempotencyKey, except });
  }

  /** A publication that is not kept. */
  tell(node: NodeNumber, channel: string, sent: Sent = {}): Promise<Appended> {
    const { event = 'typing', data = '{}', from, key, idempotencyKey, except } = sent;
    const options = { history: undefined, idempotencyKey, except };
    return this.node(node).append(channel, { event, data, from, key }, options);
  }

  async appendMany(channel: string, count: number, sent: Sent = {}): Promise<Appended[]> {
    const appended: Appended[] = [];
    for (let i = 0; i < count; i++) appended.push(await this.append((i % 3) as NodeNumber, channel, sent));
    return appended;
  }

  read(node: NodeNumber, channel: string, options: Partial<ReadOptions> = {}): Promise<LogSlice> {
    return this.node(node).read(channel, { after: 0, limit: 1000, reverse: false, ...options });
  }

  /** Resolves when the node has heard the offsets 1 to `top`, and nothing else of the channel. */
  async hearsAll(node: NodeNumber, channel: string, top: number): Promise<readonly Publication[]> {
    const ear = this.ears[node];
    await ear.until(`${top} of ${channel}`, () => ear.offsets(channel).length >= top);
    expect(ear.offsets(channel)).toEqual(upTo(top));
    return ear.of(channel);
  }

  /** Resolves when every node has heard an order that was given now: what was sent before it has arrived too. */
  async barrier(nodes = ALL): Promise<void> {
    const user = `barrier-${++this.barriers}`;
    await this.node(nodes[0] as NodeNumber).control({
      type: 'disconnect',
      user,
      code: 4003,
      reason: 'barrier',
    });
    await Promise.all(
      nodes.map((node) => {
        const ear = this.ears[node];
        return ear.until(user, () => ear.control.some((message) => message.user === user));
      }),
    );
  }
}

export function upTo(top: number): number[] {
  return Array.from({ length: top }, (_, index) => index + 1);
}

export function entry(session: string, user: string, since = 1_767_225_600_000): PresenceEntry {
  return { session, user, name: undefined, since };
}
