// Whole cores over one memory store, on a clock moved by hand, with clients that keep every frame. Knows no transport and no Nest.

import { MemoryBackplane } from '../../src/backplanes/memory/memory.backplane.js';
import { memoryOptions, type MemorySettings } from '../../src/backplanes/memory/memory.options.js';
import { MemoryStore } from '../../src/backplanes/memory/memory.store.js';
import { Core } from '../../src/core/core.js';
import { coreOptions, type CoreOptions } from '../../src/core/core.options.js';
import { TrunklineError } from '../../src/core/errors.js';
import { ANONYMOUS, type Identity } from '../../src/core/identity.js';
import { DEFAULT_POLICY, type ChannelPolicy } from '../../src/core/policy.js';
import type { ChannelHandlers, ChannelRouter } from '../../src/core/ports/application.js';
import { SILENT_LOGGER } from '../../src/core/ports/application.js';
import type { Session } from '../../src/core/session.js';
import {
  compareSpecificity,
  parseChannelPattern,
  type ChannelPattern,
} from '../../src/protocol/channel-pattern.js';
import type { Position } from '../../src/protocol/position.js';
import { FakeClock } from './fake-clock.js';
import { FakeLink } from './fake-link.js';
import { GatedBackplane } from './gated-backplane.js';
import { JsonFormat, type WireFrame } from './json-format.js';
import { SeededRandom } from './seeded-random.js';
import { checkStream, type Stream } from './stream-checker.js';

/** Far more than a test takes on the clock moved by hand. */
const DAY_MS = 86_400_000;

const OPEN: ChannelPolicy = {
  ...DEFAULT_POLICY,
  subscribe: 'anyone',
  publish: 'anyone',
  historyAccess: 'anyone',
  history: { size: 100, ttlMs: DAY_MS },
};

export type Rules = Readonly<Record<string, Partial<ChannelPolicy>>>;

export interface ClusterSettings {
  readonly nodes?: number;
  /** Channel pattern → what differs from an open channel with history. `*` alone when left out. */
  readonly rules?: Rules;
  readonly handlers?: Partial<ChannelHandlers>;
  readonly core?: Partial<CoreOptions>;
  readonly memory?: MemorySettings;
  readonly seed?: number;
}

export class TestCluster {
  readonly clock = new FakeClock();
  readonly store: MemoryStore;
  readonly nodes: readonly CoreNode[];

  private constructor(settings: ClusterSettings) {
    const { clock } = this;
    const random = new SeededRandom(settings.seed);
    const options = memoryOptions.parse(settings.memory ?? {});
    this.store = new MemoryStore({ options, clock, random });
    const count = settings.nodes ?? 1;
    this.nodes = Array.from({ length: count }, () => new CoreNode(this.store, { clock, random, settings }));
  }

  static async start(settings: ClusterSettings = {}): Promise<TestCluster> {
    const cluster = new TestCluster(settings);
    for (const node of cluster.nodes) await node.core.start();
    return cluster;
  }

  get node(): CoreNode {
    return this.nodes[0] as CoreNode;
  }

  async stop(): Promise<void> {
    for (const node of this.nodes) await node.core.stop();
    await this.clock.settle();
  }
}

export class CoreNode {
  readonly core: Core;
  readonly memory: MemoryBackplane;
  readonly backplane: GatedBackplane;
  readonly format = new JsonFormat();
  readonly clock: FakeClock;
  private published = 0;

  constructor(
    store: MemoryStore,
    { clock, random, settings }: { clock: FakeClock; random: SeededRandom; settings: ClusterSettings },
  ) {
    this.clock = clock;
    this.memory = new MemoryBackplane(store);
    this.backplane = new GatedBackplane(this.memory);
    this.core = new Core({
      backplane: this.backplane,
      router: routerOf(settings.rules ?? { '*': {} }, settings.handlers),
      authenticator: { authenticate },
      hooks: { onConnect: async () => [] },
      newGate: () => ({ take: () => 0 }),
      clock,
      random,
      logger: SILENT_LOGGER,
      options: coreOptions.parse({ maxSessionsPerUser: 0, ...settings.core }),
    });
  }

  /** A client that is connected; a stranger without a user. */
  async connect(user?: string, format = this.format): Promise<TestClient> {
    const link = new FakeLink();
    const identity = user === undefined ? ANONYMOUS : userIdentity(user);
    const session = this.core.openSession({ identity, format, link });
    await this.clock.settle();
    return new TestClient(session, link, this.clock);
  }

  /** Publications by the application on this node, one after another; their data is their number. */
  async publish(channel: string, count = 1, extra: { event?: string; key?: string } = {}): Promise<Position> {
    let position: Position = { epoch: '', offset: 0, id: '' };
    for (let i = 0; i < count; i++) {
      const { event = 'message', key } = extra;
      const data = `${++this.published}`;
      const request = { channel, event, data, key, identity: BACKEND_USER };
      const { epoch, offset, id } = await this.core.publisher.publish(request);
      position = { epoch, offset, id };
    }
    return position;
  }

  /** What the bus does to this node from now on. */
  faults(filter: MemoryBackplane['port']['filter']): void {
    this.memory.port.filter = filter;
  }
}

export class TestClient {
  private lastId = 0;

  constructor(
    readonly session: Session,
    readonly link: FakeLink,
    private readonly clock: FakeClock,
  ) {}

  get frames(): readonly WireFrame[] {
    return this.link.frames;
  }

  /** Sends a frame without waiting; `reply` finds its answer. */
  send(event: string, data: object = {}): number {
    const id = ++this.lastId;
    this.session.receive(JSON.stringify({ event, id, data }));
    return id;
  }

  reply(id: number): WireFrame | undefined {
    return this.frames.find((frame) => frame.id === id);
  }

  /** The answer to a frame, which must be there by now. */
  answer(id: number): WireFrame {
    const reply = this.reply(id);
    if (reply === undefined) throw new Error(`Request ${id} has no answer.`);
    return reply;
  }

  /** Sends a frame and gives its answer, `ok` or `error`. */
  async request(event: string, data: object = {}): Promise<WireFrame> {
    const id = this.send(event, data);
    await this.clock.settle();
    return this.answer(id);
  }

  /** As `request`, and the answer must be `ok`: its data. */
  async ok(event: string, data: object = {}): Promise<Readonly<Record<string, unknown>>> {
    const reply = await this.request(event, data);
    if (reply.event !== 'ok') throw new Error(`${event} was refused: ${JSON.stringify(reply.data)}`);
    return reply.data;
  }

  /** Subscribes and gives the position of the reply. */
  async subscribe(channel: string, extra: object = {}): Promise<Position> {
    const { epoch, offset, id } = await this.ok('subscribe', { channel, ...extra });
    return { epoch, offset, id } as Position;
  }

  /** The pushes of one event, oldest first: their data. */
  pushes(event: string): readonly Readonly<Record<string, unknown>>[] {
    return this.frames.filter((frame) => frame.event === event).map((frame) => frame.data);
  }

  /** The checked stream of a channel: throws where it is broken. */
  stream(channel: string): Stream {
    return checkStream(this.frames, channel);
  }

  /** Offsets seen in a channel, live and in replies, after the stream was checked. */
  offsets(channel: string): readonly number[] {
    return this.stream(channel).seen.map(({ offset }) => offset);
  }
}

export function userIdentity(user: string, extra: Partial<Identity> = {}): Identity {
  return { ...ANONYMOUS, kind: 'user', user, name: user.toUpperCase(), ...extra };
}

const BACKEND_USER: Identity = { ...ANONYMOUS, kind: 'backend' };

/** Tokens of tests read `user:ana`. */
async function authenticate(token: string): Promise<Identity> {
  if (!token.startsWith('user:')) throw new TrunklineError('unauthenticated', 'No such token.');
  return userIdentity(token.slice(5));
}

function routerOf(rules: Rules, handlers: Partial<ChannelHandlers> | undefined): ChannelRouter {
  const rows = Object.entries(rules)
    .map(([text, policy]): [ChannelPattern, ChannelPolicy] => [
      parseChannelPattern(text),
      { ...OPEN, ...policy },
    ])
    .sort(([a], [b]) => compareSpecificity(a, b));
  const all: ChannelHandlers | undefined = handlers && {
    onSubscribe: undefined,
    onUnsubscribe: undefined,
    onPublish: () => undefined,
    ...handlers,
  };
  return {
    resolve(channel) {
      for (const [pattern, policy] of rows) {
        const params = pattern.match(channel);
        if (params !== undefined) return { channel, params, policy, handlers: all };
      }
      return undefined;
    },
  };
}
