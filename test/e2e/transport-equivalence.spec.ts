// One random sequence of operations gives the same history on every transport (G25), checked against a model and by the checker of histories.

import * as fc from 'fast-check';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { decodeCursor, encodeCursor } from '../../src/protocol/cursor.js';
import type { Position } from '../../src/protocol/position.js';
import { report, startE2e, type E2eServer } from '../support/e2e-server.js';
import { checkHistory, type Delivered, type Published, type Run } from '../support/history-checker.js';
import { LONG_POLLING, SHORT_POLLING, SSE, TRANSPORTS, WS, WsReader } from '../support/transport-adapters.js';
import { disposeReaders, type Reader, type TransportAdapter } from '../support/transport-reader.js';
import { until } from '../support/wait.js';

const SEED = 20_266;
const RUNS = 70;
const MAX_COMMANDS = 40;
/** Milliseconds after which no further sequence is begun. */
const TIME_LIMIT_MS = 15_000;
const USERS = ['ana', 'ben', 'cleo'] as const;
const CHANNELS = [0, 1, 2] as const;

type ChannelIndex = (typeof CHANNELS)[number];

let server: E2eServer;
let runs = 0;
let commandCount = 0;
beforeAll(async () => {
  server = await startE2e({
    rules: [{ channel: 'room:{name}', history: { size: 1000, ttl: '1m' }, ephemeral: ['typing'] }],
  });
});
afterAll(() => server.close());

/** What the sequence says must have been seen: one reader stands for all of them. */
interface Model {
  connected: boolean;
  readonly subscribed: Set<ChannelIndex>;
  /** Kept publications of each channel. */
  readonly tops: [number, number, number];
  /** Closed and open stretches of each channel: after `from`, up to `to`. */
  readonly stretches: { channel: ChannelIndex; from: number; to: number | undefined }[];
  /** Marks that were published with a key which may be used again. */
  readonly keyed: { channel: ChannelIndex; mark: string; user: string }[];
}

interface Seen extends Delivered {
  readonly channel: string;
}

/** A reader that follows the sequence on its transport, or on one after the other. */
class Participant {
  readonly seen: Seen[] = [];
  readonly typing: unknown[] = [];
  reader: Reader | undefined;
  private readonly channels = new Set<string>();
  private positions = new Map<string, Position>();
  private read = 0;

  constructor(
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
    this.reader = await this.adapter.open(server, [...this.channels], { user: this.name, cursor });
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
class World {
  readonly participants = [
    new Participant('ws', WS),
    new Participant('sse', SSE),
    new Participant('long', LONG_POLLING),
    new Participant('short', SHORT_POLLING),
    new Participant('wanderer', WS),
  ];
  readonly published = new Map<string, Published[]>();
  private readonly run = ++runs;
  private marks = 0;
  private way = 0;

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
    const response = await fetch(`${server.url}/api/channels/${encodeURIComponent(channel)}/messages`, {
      method: 'POST',
      headers: {
        authorization: `Bearer ${server.token(user)}`,
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

abstract class Step implements fc.AsyncCommand<Model, World> {
  check(_model: Readonly<Model>): boolean {
    return true;
  }

  async run(model: Model, world: World): Promise<void> {
    commandCount++;
    await this.act(model, world);
  }

  protected abstract act(model: Model, world: World): Promise<void>;
  abstract toString(): string;
}

class Publish extends Step {
  constructor(
    private readonly channel: ChannelIndex,
    private readonly user: string,
    private readonly keyed: boolean,
  ) {
    super();
  }

  protected async act(model: Model, world: World): Promise<void> {
    const mark = world.nextMark();
    const { channel, user } = this;
    const { offset } = await world.publish(channel, { mark, user, ...(this.keyed ? { key: mark } : {}) });
    expect(offset).toBe(++model.tops[channel]);
    if (this.keyed) model.keyed.push({ channel, mark, user });
  }

  toString(): string {
    return `publish ${this.channel} ${this.user}${this.keyed ? ' with a key' : ''}`;
  }
}

class Repeat extends Step {
  constructor(private readonly which: number) {
    super();
  }

  override check({ keyed }: Readonly<Model>): boolean {
    return keyed.length > 0;
  }

  protected async act({ keyed }: Model, world: World): Promise<void> {
    const { channel, mark, user } = keyed[this.which % keyed.length] as Model['keyed'][number];
    const { duplicate } = await world.publish(channel, { mark, user, key: mark });
    expect(duplicate).toBe(true);
  }

  toString(): string {
    return 'publish the same again';
  }
}

class Typing extends Step {
  constructor(private readonly channel: ChannelIndex) {
    super();
  }

  override check({ subscribed, connected }: Readonly<Model>): boolean {
    return connected && subscribed.has(this.channel);
  }

  protected async act(_model: Model, world: World): Promise<void> {
    const mark = world.nextMark();
    const heard = world.participants.filter(({ hearsTyping }) => hearsTyping);
    await server.realtime.publish(world.channel(this.channel), 'typing', mark);
    for (const participant of heard) {
      const has = (): boolean => (participant.last(''), participant.typing.includes(mark));
      await until(has, `${participant.name} to hear the typing`);
    }
  }

  toString(): string {
    return `typing ${this.channel}`;
  }
}

class Disconnect extends Step {
  override check({ connected }: Readonly<Model>): boolean {
    return connected;
  }

  protected async act(model: Model, world: World): Promise<void> {
    for (const participant of world.participants) participant.cut();
    model.connected = false;
  }

  toString(): string {
    return 'disconnect';
  }
}

class Connect extends Step {
  override check({ connected }: Readonly<Model>): boolean {
    return !connected;
  }

  protected async act(model: Model, world: World): Promise<void> {
    await world.each((participant) => participant.connect());
    model.connected = true;
  }

  toString(): string {
    return 'connect';
  }
}

class Switch extends Step {
  protected async act(_model: Model, world: World): Promise<void> {
    await world.participants.at(-1)?.changeTo(world.nextWay());
  }

  toString(): string {
    return 'the wanderer changes its transport';
  }
}

class Subscribe extends Step {
  constructor(private readonly channel: ChannelIndex) {
    super();
  }

  override check({ subscribed, connected }: Readonly<Model>): boolean {
    return connected && !subscribed.has(this.channel);
  }

  protected async act(model: Model, world: World): Promise<void> {
    const { channel } = this;
    await world.each((participant) => participant.add(world.channel(channel)));
    model.subscribed.add(channel);
    model.stretches.push({ channel, from: model.tops[channel], to: undefined });
  }

  toString(): string {
    return `subscribe ${this.channel}`;
  }
}

class Unsubscribe extends Step {
  constructor(private readonly channel: ChannelIndex) {
    super();
  }

  override check({ subscribed, connected }: Readonly<Model>): boolean {
    return connected && subscribed.has(this.channel);
  }

  protected async act(model: Model, world: World): Promise<void> {
    const { channel } = this;
    await world.settle(model);
    await world.each((participant) => participant.remove(world.channel(channel)));
    model.subscribed.delete(channel);
    for (const stretch of model.stretches)
      if (stretch.channel === channel) stretch.to ??= model.tops[channel];
  }

  toString(): string {
    return `unsubscribe ${this.channel}`;
  }
}

async function finish(model: Model, world: World): Promise<void> {
  await world.each((participant) => participant.connect());
  for (const index of model.subscribed) {
    await world.publish(index, { mark: world.nextMark(), user: 'ana' });
    model.tops[index]++;
  }
  await world.settle(model);
  for (const index of CHANNELS) compare(model, world, index);
}

/** What each reader saw of a channel is what the model says, stretch by stretch. */
function compare(model: Model, world: World, index: ChannelIndex): void {
  const channel = world.channel(index);
  const published = world.published.get(channel) ?? [];
  const stretches = model.stretches.filter((stretch) => stretch.channel === index);
  const expected = stretches.flatMap(({ from, to = model.tops[index] }) => published.slice(from, to));
  const checked: Run[] = [];
  for (const { name, seen } of world.participants) {
    const own = seen.filter((one) => one.channel === channel);
    expect(
      own.map(({ mark }) => mark),
      `${name} in ${channel}`,
    ).toEqual(expected.map(({ mark }) => mark));
    let at = 0;
    for (const { from, to } of stretches) {
      const part = own.slice(at, (at += (to ?? model.tops[index]) - from));
      checked.push({ name, from: { epoch: '', offset: from }, seen: part, toTheEnd: to === undefined });
    }
  }
  checkHistory({ published, runs: checked });
}

const channel = fc.constantFrom(...CHANNELS);
const user = fc.constantFrom(...USERS);
const COMMANDS: fc.Arbitrary<fc.AsyncCommand<Model, World>>[] = [
  fc.tuple(channel, user, fc.boolean()).map(([at, who, keyed]) => new Publish(at, who, keyed)),
  fc.tuple(channel, user, fc.constant(false)).map(([at, who, keyed]) => new Publish(at, who, keyed)),
  fc.nat({ max: 100 }).map((which) => new Repeat(which)),
  channel.map((at) => new Typing(at)),
  fc.constant(new Disconnect()),
  fc.constant(new Connect()),
  fc.constant(new Switch()),
  channel.map((at) => new Subscribe(at)),
  channel.map((at) => new Unsubscribe(at)),
];

it('the same random sequence is seen the same over WebSocket, SSE, long polling, short polling, and while changing between them', async () => {
  const commands = fc.commands(COMMANDS, { maxCommands: MAX_COMMANDS, size: 'max' });
  await fc.assert(
    fc.asyncProperty(commands, async (sequence) => {
      const world = new World();
      const model: Model = {
        connected: false,
        subscribed: new Set(),
        tops: [0, 0, 0],
        stretches: [],
        keyed: [],
      };
      const setup = async () => {
        await new Connect().run(model, world);
        await new Subscribe(0).run(model, world);
        await new Subscribe(1).run(model, world);
        return { model, real: world };
      };
      try {
        await fc.asyncModelRun(setup, sequence);
        await finish(model, world);
      } finally {
        disposeReaders();
      }
    }),
    { seed: SEED, numRuns: RUNS, plugins: [fc.interruptAfterTimeLimit(TIME_LIMIT_MS)] },
  );
  report(`${runs} sequences of ${commandCount} operations in all`);
  expect(commandCount).toBeGreaterThan(100);
}, 60_000);
