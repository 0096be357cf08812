// One random sequence of operations gives the same history on every transport (G25), checked against a model and by the checker of histories.

import * as fc from 'fast-check';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { report, startE2e, type E2eServer } from '../support/e2e-server.js';
import { CHANNELS, World, type ChannelIndex, type Model } from '../support/equivalence.js';
import { checkHistory, type Run } from '../support/history-checker.js';
import { disposeReaders } from '../support/transport-reader.js';
import { until } from '../support/wait.js';

const SEED = 20_266;
const RUNS = 70;
const MAX_COMMANDS = 40;
/** Milliseconds after which no further sequence is begun. */
const TIME_LIMIT_MS = 15_000;
const USERS = ['ana', 'ben', 'cleo'] as const;

let server: E2eServer;
let runs = 0;
let commandCount = 0;
beforeAll(async () => {
  server = await startE2e({
    rules: [{ channel: 'room:{name}', history: { size: 1000, ttl: '1m' }, ephemeral: ['typing'] }],
  });
});
afterAll(() => server.close());

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
      const world = new World(server, ++runs);
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
