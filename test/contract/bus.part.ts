// Contract of the bus and of a node's life: who hears what, from when, until when.

import { describe, expect, it } from 'vitest';
import type { ControlMessage } from '../../src/core/ports/backplane.js';
import { ALL, upTo, type Bench } from './cluster.js';

export function busContract(bench: () => Bench): void {
  describe('bus', () => {
    it('brings what is not kept to all listeners with offset 0, and leaves no trace in the log', async () => {
      const channel = await bench().heardByAll();
      await bench().append(0, channel);
      const { position, duplicate } = await bench().tell(1, channel, {
        event: 'typing',
        data: '{"on":true}',
      });
      expect(duplicate).toBe(false);
      expect(position.offset).toBe(0);
      await bench().append(2, channel);
      for (const node of ALL) {
        await bench().ears[node].until('three', () => bench().ears[node].of(channel).length === 3);
        expect(bench().ears[node].offsets(channel)).toEqual([1, 0, 2]);
        expect(bench().ears[node].of(channel)[1]).toMatchObject({ id: position.id, data: '{"on":true}' });
      }
      const { top, publications } = await bench().read(0, channel);
      expect(top.offset).toBe(2);
      expect(publications.map(({ event }) => event)).toEqual(['message', 'message']);
    });

    it('tells each listener the epoch and the session that shall not hear it', async () => {
      const channel = await bench().heardByAll();
      const { position } = await bench().append(0, channel, { except: 'session-1' });
      await bench().append(0, channel);
      await bench().hearsAll(1, channel, 2);
      expect(bench().ears[1].deliveries.map(({ except }) => except)).toEqual(['session-1', undefined]);
      expect(bench().ears[1].deliveries.map(({ epoch }) => epoch)).toEqual([position.epoch, position.epoch]);
    });

    it('tells the id of the publication before, by which reused offsets show', async () => {
      const channel = await bench().heardByAll();
      const [first, second] = await bench().appendMany(channel, 3);
      await bench().hearsAll(2, channel, 3);
      const told = bench().ears[2].deliveries.map(({ previous }) => previous);
      expect(told).toEqual([undefined, first?.position.id, second?.position.id]);
    });

    it('brings one answer of each node to a question, and none of a node that stopped', async () => {
      for (const node of ALL) bench().ears[node].says = { node };
      const ask = (node: 0 | 1 | 2): Promise<readonly unknown[]> =>
        bench().node(node).gather({ type: 'stats' });
      expect(new Set((await ask(1)).map((answer) => JSON.stringify(answer)))).toEqual(
        new Set(ALL.map((node) => JSON.stringify({ node }))),
      );
      await bench().node(2).stop();
      expect(await ask(0)).toHaveLength(2);
    });

    it('brings a publication once to its own node', async () => {
      const channel = bench().channel();
      await bench().node(0).subscribe(channel);
      await bench().append(0, channel);
      await bench().append(0, channel);
      await bench().hearsAll(0, channel, 2);
    });

    it('brings every publication after a subscribe has resolved', async () => {
      const channels = upTo(20).map(() => bench().channel());
      await Promise.all(
        channels.map(async (channel, index) => {
          const node = ALL[index % 3] as 0 | 1 | 2;
          await bench().node(node).subscribe(channel);
          await bench().append(ALL[(index + 1) % 3] as 0 | 1 | 2, channel);
          await bench().hearsAll(node, channel, 1);
        }),
      );
    });

    it('brings nothing without a subscription, and nothing after an unsubscribe has resolved', async () => {
      const channel = bench().channel();
      await bench().node(0).subscribe(channel);
      await bench().append(1, channel);
      await bench().hearsAll(0, channel, 1);
      await bench().node(0).unsubscribe(channel);
      await bench().append(1, channel);
      await bench().tell(2, channel);
      await bench().barrier();
      expect(bench().ears[0].offsets(channel)).toEqual([1]);
      expect(bench().ears[2].offsets(channel)).toEqual([]);
    });

    it('brings publications again after a new subscribe', async () => {
      const channel = bench().channel();
      for (const offset of upTo(4)) {
        await bench().node(1).subscribe(channel);
        await bench().append(0, channel);
        await bench().hearsAll(1, channel, offset);
        await bench().node(1).unsubscribe(channel);
      }
    });

    it('brings a publication once after subscribing twice, and takes an unsubscribe without subscription', async () => {
      const channel = bench().channel();
      await bench().node(0).unsubscribe(channel);
      await bench().node(0).subscribe(channel);
      await bench().node(0).subscribe(channel);
      await bench().append(1, channel);
      await bench().append(1, channel);
      await bench().hearsAll(0, channel, 2);
      await bench().node(0).unsubscribe(channel);
      await bench().append(1, channel);
      await bench().barrier();
      expect(bench().ears[0].offsets(channel)).toEqual([1, 2]);
    });

    it('keeps subscriptions of nodes apart', async () => {
      const channel = await bench().heardByAll();
      await bench().node(1).unsubscribe(channel);
      await bench().append(1, channel);
      await bench().hearsAll(0, channel, 1);
      await bench().hearsAll(2, channel, 1);
      await bench().barrier();
      expect(bench().ears[1].offsets(channel)).toEqual([]);
    });

    it('brings each order to every node, its own included', async () => {
      const messages: ControlMessage[] = [
        { type: 'disconnect', user: 'ana', code: 4003, reason: 'revoked — "now"' },
        { type: 'subscribe', user: '__proto__', channel: 'chat:1' },
        { type: 'unsubscribe', user: 'ben', channel: '__proto__' },
      ];
      for (const message of messages) await bench().node(1).control(message);
      for (const node of ALL) {
        await bench().ears[node].until('three orders', () => bench().ears[node].control.length >= 3);
        expect(bench().ears[node].control).toEqual(messages);
      }
    });
  });

  describe('life of a node', () => {
    it('is healthy while it is started', async () => {
      expect(bench().node(0).healthy()).toBe(true);
      await bench().node(0).stop();
      expect(bench().node(0).healthy()).toBe(false);
      await bench().node(0).start(bench().ears[0]);
      expect(bench().node(0).healthy()).toBe(true);
    });

    it('refuses everything with `unavailable` after its stop', async () => {
      const channel = bench().channel();
      const node = bench().node(2);
      await node.stop();
      const entry = { session: 's', user: 'u', name: undefined, since: 1 };
      const calls = [
        bench().append(2, channel),
        bench().read(2, channel),
        node.tops([channel]),
        node.subscribe(channel),
        node.enter(channel, entry),
        node.members(channel),
        node.control({ type: 'subscribe', user: 'u', channel }),
      ];
      for (const call of calls) await expect(call).rejects.toMatchObject({ code: 'unavailable' });
      expect(await bench().node(0).tops([channel])).toMatchObject([{ offset: 0 }]);
      expect(await bench().node(0).members(channel)).toEqual([]);
    });

    it('hears nothing after its stop, and the others go on', async () => {
      const channel = await bench().heardByAll();
      await bench().append(0, channel);
      for (const node of ALL) await bench().hearsAll(node, channel, 1);
      await bench().node(1).stop();
      await bench().append(0, channel);
      await bench().hearsAll(2, channel, 2);
      await bench().barrier([0, 2]);
      expect(bench().ears[1].offsets(channel)).toEqual([1]);
      expect(bench().ears[1].control).toEqual([]);
    });

    it('comes back without its subscriptions and finds the log as the others left it', async () => {
      const channel = await bench().heardByAll();
      await bench().append(1, channel);
      await bench().hearsAll(1, channel, 1);
      await bench().node(1).stop();
      await bench().append(0, channel);
      await bench().node(1).start(bench().ears[1]);
      const { position } = await bench().append(1, channel);
      expect(position.offset).toBe(3);
      await bench().barrier();
      expect(bench().ears[1].offsets(channel)).toEqual([1]);
      await bench().node(1).subscribe(channel);
      await bench().append(2, channel);
      await bench().ears[1].until('the fourth', () => bench().ears[1].offsets(channel).includes(4));
      expect(bench().ears[1].offsets(channel)).toEqual([1, 4]);
    });

    it('may be stopped twice', async () => {
      await bench().node(0).stop();
      await bench().node(0).stop();
      expect(bench().node(1).healthy()).toBe(true);
      await bench().append(1, bench().channel());
    });
  });
}
