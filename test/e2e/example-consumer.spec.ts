// The example of a backend that consumes a feed, as a process of its own against a real server: killed, stopped, refused, and always each message once.

import { spawn, type ChildProcess } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Trunkline, type Position } from 'trunkline-client';
import { afterAll, afterEach, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { WebSocket } from 'ws';
import { Consumer } from '../../examples/backend-consumer/consumer.mjs';
import { startE2e, type E2eServer } from '../support/e2e-server.js';
import { TEST_API_KEY } from '../support/server.js';
import { until } from '../support/wait.js';

const MAIN = 'examples/backend-consumer/main.mjs';
const MESSAGES = 500;
/** Milliseconds for the start of a process or the end of a feed. Each takes about 1 s; the rest is for a busy machine. */
const LIMIT_MS = 20_000;

let server: E2eServer;
let feeds = 0;
beforeAll(async () => {
  const rule = { channel: 'feed:{name}', publish: 'backend', history: { size: 10_000, ttl: '1h' } };
  const short = { channel: 'short:{name}', publish: 'backend', history: { size: 3, ttl: '1h' } };
  const closed = { channel: 'backend:{name}', subscribe: 'backend', history: { size: 10, ttl: '1h' } };
  const none = { channel: 'none:{name}', publish: 'backend' };
  server = await startE2e({ rules: [rule, short, closed, none] });
});
afterAll(() => server.close());

const processes = new Set<ChildProcess>();
afterEach(async () => {
  await Promise.all([...processes].map((child) => ended(child, 'SIGKILL')));
});

async function ended(child: ChildProcess, signal: NodeJS.Signals): Promise<number | NodeJS.Signals | null> {
  if (child.exitCode === null && child.signalCode === null) {
    const exit = new Promise((resolve) => child.once('exit', resolve));
    child.kill(signal);
    await exit;
  }
  return child.exitCode ?? child.signalCode;
}

/** One feed, and the files of the one who consumes it. */
class Feed {
  readonly channel: string;
  readonly folder = mkdtempSync(join(tmpdir(), 'trunkline-consumer-'));
  readonly published: string[] = [];

  constructor(family = 'feed') {
    this.channel = `${family}:${++feeds}`;
    onTestFinished(() => rmSync(this.folder, { recursive: true, force: true }));
  }

  get ledgerFile(): string {
    return join(this.folder, 'processed.jsonl');
  }

  get positionFile(): string {
    return join(this.folder, 'position.json');
  }

  get position(): unknown {
    return JSON.parse(readFileSync(this.positionFile, 'utf8')) as unknown;
  }

  async publish(count: number): Promise<void> {
    for (let n = 0; n < count; n++) {
      const { id } = await server.realtime.publish(this.channel, 'order', { n: this.published.length });
      this.published.push(id);
    }
  }

  /** Ids in the order they were processed. */
  get processed(): string[] {
    const text = existsSync(this.ledgerFile) ? readFileSync(this.ledgerFile, 'utf8') : '';
    return text
      .split('\n')
      .slice(0, -1)
      .map((line) => (JSON.parse(line) as { id: string }).id);
  }

  async reaches(count: number): Promise<void> {
    await until(() => this.processed.length >= count, `${count} processed messages`, LIMIT_MS);
  }

  /** Nothing lost, nothing twice, in order. */
  async isConsumed(): Promise<void> {
    await this.reaches(this.published.length);
    expect(this.processed).toEqual(this.published);
  }
}

interface ConsumerProcess {
  readonly child: ChildProcess;
  readonly output: { text: string };
  listens(): Promise<void>;
}

function consume(feed: Feed, env: Record<string, string> = {}): ConsumerProcess {
  const child = spawn(process.execPath, [MAIN], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: {
      FEED_URL: server.url,
      FEED_KEY: TEST_API_KEY,
      FEED_CHANNEL: feed.channel,
      FEED_STATE: feed.folder,
      ...env,
    },
  });
  processes.add(child);
  child.once('exit', () => processes.delete(child));
  const output = { text: '' };
  for (const stream of [child.stdout, child.stderr])
    stream.on('data', (chunk: Buffer) => (output.text += chunk.toString('utf8')));
  const listens = async (): Promise<void> => {
    await until(() => output.text.includes('listening') || child.exitCode !== null, 'the consumer', LIMIT_MS);
    expect(output.text).toContain('listening');
  };
  return { child, output, listens };
}

/** As the server sees who listens. */
const transportOf = ({ channel }: Feed): string[] =>
  server.realtime
    .sessions()
    .filter((session) => session.channels.includes(channel))
    .map((session) => session.transport);

describe.each([
  ['ws', 'websocket'],
  ['sse', 'sse'],
  ['polling', 'polling'],
])('a consumer by %s', (transport, flag) => {
  const env = { FEED_TRANSPORT: flag };

  it(
    `processes ${MESSAGES} messages once each, killed again and again`,
    { timeout: 4 * LIMIT_MS },
    async () => {
      const feed = new Feed();
      for (const goal of [50, 200, 350]) {
        const consumer = consume(feed, env);
        await consumer.listens();
        await until(() => transportOf(feed).includes(transport), `a session by ${transport}`);

        const publishing = feed.publish(100);
        await feed.reaches(goal);
        expect(await ended(consumer.child, 'SIGKILL')).toBe('SIGKILL');
        await publishing;
        await feed.publish(50);
        expect(feed.processed.length).toBeLessThan(feed.published.length);
      }
      const last = consume(feed, env);
      await last.listens();
      await feed.publish(MESSAGES - feed.published.length);
      await feed.isConsumed();
      expect(feed.processed).toHaveLength(MESSAGES);
      expect(last.output.text).not.toContain('missed');
    },
  );

  it('ends by SIGTERM with everything saved, and goes on from there', async () => {
    const feed = new Feed();
    const first = consume(feed, env);
    await first.listens();
    await feed.publish(20);
    await feed.reaches(20);
    expect(await ended(first.child, 'SIGTERM')).toBe(0);
    expect(first.output.text).toContain('stopped');
    await feed.publish(20);
    const second = consume(feed, env);
    await second.listens();
    await feed.isConsumed();
    expect(await ended(second.child, 'SIGTERM')).toBe(0);
    expect(feed.position).toMatchObject({ offset: 40, id: feed.published.at(-1) });
  });

  it('knows messages again that a crash had not let it save, and takes away half a line', async () => {
    const feed = new Feed();
    const first = consume(feed, env);
    await first.listens();
    const { position } = feed;
    await feed.publish(30);
    await feed.reaches(30);
    await ended(first.child, 'SIGTERM');
    writeFileSync(feed.positionFile, JSON.stringify(position));
    const ledger = readFileSync(feed.ledgerFile);
    writeFileSync(feed.ledgerFile, ledger.subarray(0, ledger.length - 20));
    expect(feed.processed).toHaveLength(29);
    const second = consume(feed, env);
    await second.listens();
    await feed.publish(1);
    await feed.isConsumed();
  });

  it('says so when it was away for longer than the history lasts, and goes on', async () => {
    const feed = new Feed('short');
    const first = consume(feed, env);
    await first.listens();
    await feed.publish(1);
    await feed.reaches(1);
    await ended(first.child, 'SIGTERM');
    await feed.publish(10);
    const second = consume(feed, env);
    await second.listens();
    expect(second.output.text).toContain('missed 10 messages: expired');
    await feed.publish(1);
    await feed.reaches(2);
    expect(feed.processed).toEqual([feed.published[0], feed.published[11]]);
  });

  it('takes the token of a user as well', async () => {
    const feed = new Feed();
    const consumer = consume(feed, { ...env, FEED_KEY: server.token('consumer') });
    await consumer.listens();
    await feed.publish(3);
    await feed.isConsumed();
  });
});

describe('a consumer that cannot go on', () => {
  const refusals: readonly (readonly [string, string, () => string, RegExp])[] = [
    ['a user who may not', 'backend', () => server.token('mallory'), /may not subscribe/],
    ['a channel that nobody serves', 'nowhere', () => TEST_API_KEY, /No rule matches/],
    ['a channel without history', 'none', () => TEST_API_KEY, /keeps no history/],
    ['no key', 'feed', () => '', /FEED_KEY is not set/],
  ];

  it.each(refusals)('exits with 1 and says why: %s', async (_what, family, key, why) => {
    const feed = new Feed(family);
    const { child, output } = consume(feed, { FEED_KEY: key() });
    await until(() => child.exitCode !== null, 'the end of the consumer', LIMIT_MS);
    expect(child.exitCode).toBe(1);
    expect(output.text).toMatch(why);
  });
});

describe('a consumer that is slower than its feed', () => {
  it(
    'leaves the channel instead of holding everything, and misses nothing',
    { timeout: 2 * LIMIT_MS },
    async () => {
      const feed = new Feed();
      const trunkline = new Trunkline(server.url, { token: TEST_API_KEY, headers: {}, webSocket: WebSocket });
      onTestFinished(() => trunkline.close());
      const channel = trunkline.channel(feed.channel);
      const processed: string[] = [];
      let open = (): void => {};
      const gate = new Promise<void>((resolve) => (open = resolve));
      const sink = {
        position: undefined as Position | undefined,
        process: async ({ id }: { id: string }) => {
          await gate;
          processed.push(id);
        },
        save: (position: Position) => {
          sink.position = position;
          return Promise.resolve();
        },
      };
      const failures: unknown[] = [];
      const consumer = new Consumer(channel, sink, (error) => failures.push(error));
      await consumer.start();
      await feed.publish(8000);
      await until(() => !channel.subscribed, 'the consumer to leave', LIMIT_MS);
      open();
      await until(() => processed.length >= 8000, 'all messages', LIMIT_MS);
      await consumer.stop();
      expect(processed).toEqual(feed.published);
      expect(failures).toEqual([]);
    },
  );
});
