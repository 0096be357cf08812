// Readers that follow one sequence of operations, each on its transport, and the model of what they must have seen. Knows no operation.

import { expect } from 'vitest';
import { decodeCursor, encodeCursor } from '../../src/protocol/cursor.js';
import type { Position } from '../../src/protocol/position.js';
import type { E2eServer } from './e2e-server.js';
import type { Delivered, Published } from './history-checker.js';
import { LONG_POLLING, SHORT_POLLING, SSE, TRANSPORTS, WS, WsReader } from './transport-adapters.js';
import type { Reader, TransportAdapter } from './transport-reader.js';
import { until } from './wait.js';

export const CHANNELS = [0, 1, 2] as const;
export type ChannelIndex = (typeof CHANNELS)[number];

/** What the sequence says must have been seen: one reader stands for all of them. */
export interface Model {
  connected: boolean;
  readonly subscribed: Set<ChannelIndex>;
  /** Kept publications of each channel. */
  readonly tops: [number, number, number];
  /** Closed and open stretches of each channel: after `from`, up to `to`. */
  readonly stretches: { channel: ChannelIndex; from: number; to: number | undefined }[];
  /** Marks that were published with a key which may be used again. */
  readonly keyed: { channel: ChannelIndex; mark: string; user: string }[];
}

export interface Seen extends Delivered {
  readonly channel: string;
}

/** A reader that follows the sequence on its transport, or on one after the other. */
export class Participant {
  readonly seen: Seen[] = [];
  readonly typing: unknown[] = [];
  reader: Reader | undefined;
  private readonly channels = new Set<string>();
  private positions = new Map<string, Position>();
  private read = 0;

  constructor(
    private readonly server: E2eServer,
    readonly name: string,
    private adapter: TransportAdapter,
  ) {}

  get hearsTyping(): boolean {
    return this.reader !== undefined && (this.adapter === WS || this.adapter === SSE);
  }

  async connect(): Promise<void> {
    if (this.reader !== undefined || this.channels.size === 0) return;
    const known = [...this.positions].filter(([channel]) => this.channels.has(channel));
    const cursor = known.length === 0 ? undefined : encodeCursor(new Map(known));
    this.reader = await this.adapter.open(this.server, [...this.channels], { user: this.name, cursor });
    this.read = 0;
    for (const [channel] of known)
      expect(this.reader.begun.get(channel), `${this.name} resumes`).toMatchObject({ recovered: true });
  }

  cut(): void {
    if (this.reader === undefined) return;
    this.reader.cut();
    this.collect();
    this.positions = new Map([...this.positions, ...(decodeCursor(this.reader.cursor()) ?? [])]);
    this.reader = undefined;
  }

  async add(channel: string): Promise<void> {
    this.channels.add(channel);
    if (this.reader instanceof WsReader) await this.reader.subscribe(channel, undefined);
    else await this.again();
  }

  /** Everything of the channel has been seen before. */
  async remove(channel: string): Promise<void> {
    if (this.reader instanceof WsReader) await this.reader.unsubscribe(channel);
    else this.cut();
    this.channels.delete(channel);
    this.positions.delete(channel);
    if (this.reader === undefined) await this.connect();
  }

  async changeTo(adapter: TransportAdapter): Promise<void> {
    const connected = this.reader !== undefined;
    this.cut();
    this.adapter = adapter;
    if (connected) await this.connect();
  }

  /** The offset of the last message seen of a channel. */
  last(channel: string): number {
    this.collect();
    return this.seen.findLast((one) => one.channel === channel)?.offset ?? 0;
  }

  /** Transports that fix their channels at the beginning open anew. The position of the new channel must be that of now. */
  private async again(): Promise<void> {
    this.cut();
    await this.connect();
  }

  private collect(): void {
    const all = this.reader?.seen ?? [];
    for (; this.read < all.length; this.read++) {
      const { type, data, at } = all[this.read] as (typeof all)[number];
      if (type === 'gap') throw new Error(`${this.name} was told a gap: ${JSON.stringify(data)}`);
      if (type !== 'message') continue;
      if (!this.channels.has(data.channel))
        throw new Error(`${this.name} saw ${data.channel}, which it has left.`);
      if (data.event === 'typing') this.typing.push(data.data);
      else this.seen.push({ ...data, mark: String(data.data), epoch: '', at });
    }
  }
}

/** One run of a sequence: fresh channels, five readers, and what its publishers were told. */
export class World {
  readonly participants: readonly Participant[];
  readonly published = new Map<string, Published[]>();
  private marks = 0;
  private way = 0;

  constructor(
    private readonly server: E2eServer,
    /** No two runs share a channel. */
    private readonly run: number,
  ) {
    this.participants = [
      new Participant(server, 'ws', WS),
      new Participant(server, 'sse', SSE),
      new Participant(server, 'long', LONG_POLLING),
      new Participant(server, 'short', SHORT_POLLING),
      new Participant(server, 'wanderer', WS),
    ];
  }

  channel(index: ChannelIndex): string {
    return `room:${this.run}-${index}`;
  }

  nextMark(): string {
    return `m${++this.marks}`;
  }

  each(act: (participant: Participant) => Promise<void>): Promise<unknown> {
    return Promise.all(this.participants.map((participant) => act(participant)));
  }

  async publish(index: ChannelIndex, { mark, user, key }: { mark: string; user: string; key?: string }) {
    const channel = this.channel(index);
    const invoked = performance.now();
    const response = await fetch(`${this.server.url}/api/channels/${encodeURIComponent(channel)}/messages`, {
      method: 'POST',
      headers: {
        authorization: `Bearer ${this.server.token(user)}`,
        'content-type': 'application/json',
        ...(key === undefined ? {} : { 'idempotency-key': key }),
      },
      body: JSON.stringify({ event: 'tick', data: mark }),
    });
    expect(response.status).toBe(201);
    const place = (await response.json()) as Position & { duplicate: boolean };
    if (!place.duplicate) {
      const list = this.published.get(channel) ?? [];
      this.published.set(channel, list);
      // The reader's messages carry no epoch; one run has one, which the resumes themselves compare.
      list.push({ mark, invoked, answered: performance.now(), place: { ...place, epoch: '' } });
    }
    return place;
  }

  /** Waits until every reader has all that was published in the stretches that are open. */
  async settle({ stretches, tops }: Model): Promise<void> {
    for (const { channel: index, from, to } of stretches) {
      const top = tops[index];
      if (to !== undefined || from === top) continue;
      const name = this.channel(index);
      await this.each((participant) =>
        until(() => participant.last(name) >= top, `${participant.name} to have ${name} up to ${top}`),
      );
    }
  }

  nextWay(): TransportAdapter {
    this.way++;
    return TRANSPORTS[this.way % TRANSPORTS.length] as TransportAdapter;
  }
}
