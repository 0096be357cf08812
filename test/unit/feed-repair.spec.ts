// A channel on one instance while its bus and its log misbehave: holes are filled from the log, and what cannot be filled is told.

import { afterEach, describe, expect, it } from 'vitest';
import type { BusFate } from '../../src/backplanes/memory/memory.bus.js';
import { TrunklineError } from '../../src/core/errors.js';
import { TestCluster, type ClusterSettings, type CoreNode, type TestClient } from '../support/core-node.js';
import { JsonFormat } from '../support/json-format.js';

const CHANNEL = 'room';
const CHECK_MS = 5000;
const away = () => new TrunklineError('unavailable', 'The backplane is away.');
const upTo = (top: number) => Array.from({ length: top }, (_, i) => i + 1);

describe('feed', () => {
  let cluster: TestCluster;
  let source: CoreNode;
  let node: CoreNode;
  let client: TestClient;

  /** A publishing node with a perfect bus, and a client on another node whose bus can be hurt. */
  async function start(settings: ClusterSettings = {}): Promise<void> {
    cluster = await TestCluster.start({ nodes: 2, core: { positionCheckMs: CHECK_MS }, ...settings });
    [source, node] = cluster.nodes as [CoreNode, CoreNode];
    client = await node.connect('ana');
    await client.subscribe(CHANNEL);
  }
  afterEach(async () => cluster.stop());

  const history = (size: number, ttlMs = 86_400_000) => ({ rules: { '*': { history: { size, ttlMs } } } });

  /** What becomes of a publication on its way to the client's node, by its offset. */
  function fate(of: (offset: number) => BusFate): void {
    node.faults((message) =>
      message.kind === 'publication' ? of(message.delivery.publication.offset) : 'deliver',
    );
  }

  /** Fails or holds reads until told: the log is not answering. */
  async function publish(count: number): Promise<void> {
    await source.publish(CHANNEL, count);
    await cluster.clock.settle();
  }

  it('delivers what comes in order as it comes', async () => {
    await start();
    await publish(5);
    expect(client.offsets(CHANNEL)).toEqual(upTo(5));
    expect(node.backplane.count('read')).toBe(0);
    expect(node.core.stats).toMatchObject({ repaired: 0, busDuplicates: 0, discontinuities: 0 });
  });

  it('fills a hole from the log before it delivers anything later', async () => {
    await start();
    fate((offset) => (offset === 2 || offset === 3 ? 'drop' : 'deliver'));
    await publish(5);
    expect(client.offsets(CHANNEL)).toEqual(upTo(5));
    expect(node.core.stats.discontinuities).toBe(0);
    expect(node.core.stats.repaired).toBeGreaterThanOrEqual(2);
  });

  it('fills a hole that is larger than one read', async () => {
    await start(history(3000));
    fate((offset) => (offset < 1700 ? 'drop' : 'deliver'));
    await publish(1700);
    expect(client.offsets(CHANNEL)).toEqual(upTo(1700));
  });

  it('asks the log once for a hole, however much comes meanwhile', async () => {
    await start();
    fate((offset) => (offset === 2 ? 'drop' : 'deliver'));
    const gate = node.backplane.hold('read');
    await publish(30);
    expect(gate.waiting).toBe(1);
    expect(client.offsets(CHANNEL)).toEqual([1]);
    gate.open();
    await cluster.clock.settle();
    expect(client.offsets(CHANNEL)).toEqual(upTo(30));
  });

  it('loses nothing when more comes during a repair than it holds', async () => {
    await start(history(6000));
    fate((offset) => (offset === 1 ? 'drop' : 'deliver'));
    const gate = node.backplane.hold('read');
    await publish(5000);
    expect(gate.waiting).toBe(1);
    gate.open();
    await cluster.clock.advance(3 * CHECK_MS);
    expect(client.offsets(CHANNEL)).toEqual(upTo(5000));
  });

  it('takes a repeated publication once', async () => {
    await start();
    fate(() => 'duplicate');
    await publish(5);
    expect(client.offsets(CHANNEL)).toEqual(upTo(5));
    expect(node.core.stats.busDuplicates).toBeGreaterThan(0);
  });

  it('puts late publications into their place', async () => {
    await start();
    fate((offset) => (offset % 3 === 1 ? { delayMs: 50 } : 'deliver'));
    await publish(10);
    await cluster.clock.advance(100);
    expect(client.offsets(CHANNEL)).toEqual(upTo(10));
  });

  it('finds the lost last publication of a channel by its position check', async () => {
    await start();
    fate((offset) => (offset === 3 ? 'drop' : 'deliver'));
    await publish(3);
    expect(client.offsets(CHANNEL)).toEqual([1, 2]);
    await cluster.clock.advance(2 * CHECK_MS);
    expect(client.offsets(CHANNEL)).toEqual([1, 2, 3]);
  });

  it('finds it although events that are not kept come all the time', async () => {
    await start({ rules: { '*': { ephemeral: new Set(['typing']) } } });
    fate((offset) => (offset === 3 ? 'drop' : 'deliver'));
    await publish(3);
    for (let ms = 0; ms < 2 * CHECK_MS; ms += 200) {
      await source.publish(CHANNEL, 1, { event: 'typing' });
      await cluster.clock.advance(200);
    }
    expect(client.offsets(CHANNEL)).toEqual([1, 2, 3]);
  });

  it('finds it although the clock was set back by an hour', async () => {
    await start();
    fate((offset) => (offset === 3 ? 'drop' : 'deliver'));
    await publish(3);
    cluster.clock.setBack(3_600_000);
    await cluster.clock.advance(2 * CHECK_MS);
    expect(client.offsets(CHANNEL)).toEqual([1, 2, 3]);
  });

  it('repairs at once when the bus says that it may have lost something', async () => {
    await start();
    fate(() => 'drop');
    await publish(3);
    cluster.store.bus.suspect(node.memory.port, ['other']);
    await cluster.clock.settle();
    expect(client.offsets(CHANNEL)).toEqual([]);
    cluster.store.bus.suspect(node.memory.port, [CHANNEL]);
    await cluster.clock.settle();
    expect(client.offsets(CHANNEL)).toEqual([1, 2, 3]);
    await publish(2);
    cluster.store.bus.suspect(node.memory.port);
    await cluster.clock.settle();
    expect(client.offsets(CHANNEL)).toEqual(upTo(5));
  });

  it('asks once however often the bus is said to have lost something', async () => {
    await start();
    fate(() => 'drop');
    await publish(3);
    const gate = node.backplane.hold('read');
    for (let i = 0; i < 5; i++) cluster.store.bus.suspect(node.memory.port);
    await cluster.clock.settle();
    expect(gate.waiting).toBe(1);
    gate.open();
    await cluster.clock.settle();
    expect(client.offsets(CHANNEL)).toEqual([1, 2, 3]);
  });

  it('asks for no top of a channel that is busy', async () => {
    await start();
    for (let i = 0; i < 100; i++) {
      await publish(1);
      await cluster.clock.advance(CHECK_MS / 25);
    }
    expect(node.backplane.count('tops')).toBe(1);
  });

  it.each([0, 100, CHECK_MS / 2, CHECK_MS - 501, CHECK_MS - 100])(
    'finds the last publication of a channel, lost %i ms after a check, within a period and half a second',
    async (after) => {
      await start();
      await cluster.clock.advance(after);
      await publish(1);
      fate(() => 'drop');
      await publish(1);
      await cluster.clock.advance(CHECK_MS + 500);
      expect(client.offsets(CHANNEL)).toEqual([1, 2]);
    },
  );

  it('asks for the tops of many idle channels in few questions', async () => {
    await start({ nodes: 2, core: { positionCheckMs: CHECK_MS, maxChannelsPerSession: 0 } });
    for (let i = 0; i < 600; i++) client.send('subscribe', { channel: `quiet:${i}` });
    await cluster.clock.settle();
    const before = node.backplane.count('tops');
    await cluster.clock.advance(2 * CHECK_MS);
    expect(node.backplane.count('tops') - before).toBeLessThanOrEqual(4);
    expect(node.backplane.count('tops') - before).toBeGreaterThanOrEqual(2);
  });

  it('tells as a gap what the log has trimmed, and delivers the rest', async () => {
    await start(history(5));
    fate((offset) => (offset > 2 && offset < 20 ? 'drop' : 'deliver'));
    await publish(20);
    expect(client.offsets(CHANNEL)).toEqual([1, 2, 16, 17, 18, 19, 20]);
    expect(client.pushes('gap')).toMatchObject([{ from: 3, to: 15, count: 13, reason: 'expired' }]);
  });

  it('tells as a gap what has expired from the log', async () => {
    await start(history(100, 3000));
    await publish(1);
    fate(() => 'drop');
    await publish(4);
    await cluster.clock.advance(3 * CHECK_MS);
    expect(client.pushes('gap')).toMatchObject([{ from: 2, to: 5, count: 4, reason: 'expired' }]);
    fate(() => 'deliver');
    await publish(2);
    expect(client.offsets(CHANNEL)).toEqual([1, 6, 7]);
  });

  it('tells a new epoch at the first publication of it', async () => {
    await start();
    await publish(5);
    cluster.store.flush();
    await publish(2);
    const { epoch } = cluster.store.top(CHANNEL);
    const [gap, ...more] = client.pushes('gap');
    expect(gap).toMatchObject({ epoch, reason: 'epoch_changed' });
    expect(more).toEqual([]);
    await publish(3);
    expect(client.stream(CHANNEL).standing).toEqual({ epoch, offset: 5 });
    expect(client.offsets(CHANNEL).slice(0, 5)).toEqual(upTo(5));
  });

  it('tells a new epoch of an idle channel after its position check', async () => {
    await start();
    await publish(5);
    cluster.store.flush();
    await cluster.clock.advance(2 * CHECK_MS);
    const { epoch } = cluster.store.top(CHANNEL);
    expect(client.pushes('gap')).toMatchObject([{ epoch, reason: 'epoch_changed' }]);
    await publish(2);
    expect(client.stream(CHANNEL).standing).toEqual({ epoch, offset: 2 });
  });

  describe('after lost writes', () => {
    const ids = () => client.stream(CHANNEL).seen.map(({ offset, id }) => `${offset}:${id}`);
    const kept = () => cluster.store.read(CHANNEL, { after: 0, limit: 100, reverse: false }).publications;

    it('tells an idle channel that its offsets are used again', async () => {
      await start();
      await publish(5);
      cluster.store.loseLast(CHANNEL, 2);
      await cluster.clock.advance(2 * CHECK_MS);
      expect(client.pushes('gap')).toMatchObject([{ to: 3, reason: 'id_mismatch' }]);
      await publish(2);
      expect(ids().slice(-2)).toEqual(
        kept()
          .slice(-2)
          .map(({ offset, id }) => `${offset}:${id}`),
      );
    });

    it('tells it when as much was written anew while nobody looked', async () => {
      await start();
      await publish(5);
      cluster.store.loseLast(CHANNEL, 2);
      fate(() => 'drop');
      await publish(2);
      await cluster.clock.advance(2 * CHECK_MS);
      expect(client.pushes('gap')).toMatchObject([{ to: 5, reason: 'id_mismatch' }]);
    });

    it('tells it when a hole shows that the log is another one', async () => {
      await start();
      await publish(5);
      cluster.store.loseLast(CHANNEL, 2);
      fate((offset) => (offset < 7 ? 'drop' : 'deliver'));
      await publish(4);
      expect(client.pushes('gap')).toMatchObject([{ to: 7, reason: 'id_mismatch' }]);
    });

    it('tells it when all that was written anew was lost on the bus, and exactly the next one comes', async () => {
      await start();
      await publish(5);
      cluster.store.loseLast(CHANNEL, 2);
      fate((offset) => (offset < 6 ? 'drop' : 'deliver'));
      await publish(3);
      expect(client.pushes('gap')).toMatchObject([{ to: 6, reason: 'id_mismatch' }]);
    });

    it('tells a busy channel before anything later, and does not take what is new for a repeat', async () => {
      await start();
      await publish(5);
      cluster.store.loseLast(CHANNEL, 2);
      await publish(4);
      expect(cluster.store.top(CHANNEL).offset).toBe(7);
      const gapAt = client.frames.findIndex(({ event }) => event === 'gap');
      const laterAt = client.frames.findIndex(({ data }) => (data['offset'] as number) > 5);
      expect(gapAt, 'a gap is told').toBeGreaterThan(-1);
      expect(laterAt < 0 || gapAt < laterAt, 'before any later publication').toBe(true);
      expect(client.stream(CHANNEL).standing?.offset).toBe(7);
    });
  });

  it('delivers nothing later while the log cannot be read, and all of it once it can', async () => {
    await start();
    fate((offset) => (offset === 2 ? 'drop' : 'deliver'));
    const gate = node.backplane.hold('read', 'request');
    await publish(4);
    gate.fail(away());
    await cluster.clock.settle();
    expect(client.offsets(CHANNEL)).toEqual([1]);
    await publish(1);
    expect(client.offsets(CHANNEL)).toEqual(upTo(5));
  });

  it('repairs by its position check when the log could not be read and nothing more comes', async () => {
    await start();
    fate((offset) => (offset === 2 ? 'drop' : 'deliver'));
    const gate = node.backplane.hold('read', 'request');
    await publish(4);
    gate.fail(away());
    await cluster.clock.advance(CHECK_MS);
    expect(client.offsets(CHANNEL)).toEqual(upTo(4));
  });

  it('goes on after a position check that was not answered', async () => {
    await start();
    fate((offset) => (offset === 1 ? 'drop' : 'deliver'));
    await publish(1);
    const gate = node.backplane.hold('tops', 'request');
    await cluster.clock.advance(2 * CHECK_MS);
    expect(gate.waiting).toBe(1);
    gate.fail(away());
    await cluster.clock.advance(2 * CHECK_MS);
    expect(client.offsets(CHANNEL)).toEqual([1]);
  });

  it('passes events that are not kept at once, a repair or not, and they move no position', async () => {
    await start({ nodes: 2, rules: { '*': { ephemeral: new Set(['typing']) } } });
    fate((offset) => (offset === 1 ? 'drop' : 'deliver'));
    const gate = node.backplane.hold('read');
    await publish(2);
    await source.publish(CHANNEL, 1, { event: 'typing' });
    await cluster.clock.settle();
    expect(client.pushes('message')).toMatchObject([{ event: 'typing' }]);
    expect(client.pushes('message')[0]).not.toHaveProperty('offset');
    gate.open();
    await cluster.clock.settle();
    expect(client.offsets(CHANNEL)).toEqual([1, 2]);
  });

  it('does not judge positions where no history is kept', async () => {
    await start({ nodes: 2, rules: { '*': { history: undefined } } });
    await publish(2);
    fate(() => 'drop');
    await publish(2);
    fate(() => 'deliver');
    await publish(1);
    await cluster.clock.advance(3 * CHECK_MS);
    expect(client.pushes('message').map(({ data }) => data)).toEqual([1, 2, 5]);
    expect(client.pushes('gap')).toEqual([]);
    expect(node.backplane.count('tops') + node.backplane.count('read')).toBe(0);
  });

  it('encodes a publication once for each wire format, however many listen', async () => {
    await start();
    const other = new JsonFormat('other');
    for (let i = 0; i < 20; i++)
      await (await node.connect('ben', i % 2 ? other : undefined)).subscribe(CHANNEL);
    const before = [node.format.pushes, other.pushes];
    await publish(3);
    expect([node.format.pushes, other.pushes]).toEqual(before.map((pushes) => pushes + 3));
  });

  it('spares the sender that does not want its own copy, on any node, and nobody else', async () => {
    await start();
    const twin = await node.connect('ana');
    await twin.subscribe(CHANNEL);
    await client.ok('publish', { channel: CHANNEL, event: 'note', data: 1, echo: false });
    await client.ok('publish', { channel: CHANNEL, event: 'note', data: 2 });
    await cluster.clock.settle();
    expect(client.pushes('message').map(({ data }) => data)).toEqual([2]);
    expect(twin.offsets(CHANNEL)).toEqual([1, 2]);
  });
});
