// Contract of presence: entries of sessions, members by user, joins and leaves told once and in order.

import { describe, expect, it } from 'vitest';
import { ALL, entry, type Bench } from './cluster.js';

const T = 1_767_225_600_000;

export function presenceContract(bench: () => Bench): void {
  const moves = (node: 0 | 1 | 2, channel: string) => bench().ears[node].moves(channel);

  describe('presence', () => {
    it('tells a join to every listening node, and shows the member on all', async () => {
      const channel = await bench().heardByAll();
      await bench().node(0).enter(channel, { session: 's1', user: 'ana', name: 'Ana', since: T });
      for (const node of ALL) {
        await bench().ears[node].until('the join', () => moves(node, channel).length === 1);
        const member = { user: 'ana', name: 'Ana', connections: 1, since: T };
        expect(bench().ears[node].presence).toEqual([{ channel, type: 'join', member }]);
        expect(await bench().node(node).members(channel)).toEqual([member]);
      }
    });

    it('counts the sessions of a user, tells the first to come and the last to go', async () => {
      const channel = await bench().heardByAll();
      await bench()
        .node(0)
        .enter(channel, entry('s1', 'ana', T));
      await bench()
        .node(1)
        .enter(channel, entry('s2', 'ana', T + 5));
      expect(await bench().node(2).members(channel)).toMatchObject([
        { user: 'ana', connections: 2, since: T },
      ]);
      await bench()
        .node(0)
        .exit(channel, entry('s1', 'ana', T));
      expect(await bench().node(2).members(channel)).toMatchObject([
        { user: 'ana', connections: 1, since: T + 5 },
      ]);
      await bench().barrier();
      expect(moves(2, channel)).toEqual(['join ana']);
      await bench()
        .node(1)
        .exit(channel, entry('s2', 'ana', T + 5));
      for (const node of ALL) {
        await bench().ears[node].until('the leave', () => moves(node, channel).length === 2);
        expect(moves(node, channel)).toEqual(['join ana', 'leave ana']);
      }
      expect(bench().ears[0].presence[1]?.member).toMatchObject({ user: 'ana', connections: 0 });
      expect(await bench().node(0).members(channel)).toEqual([]);
    });

    it('takes entering and leaving twice as once', async () => {
      const channel = await bench().heardByAll();
      await bench().node(0).enter(channel, entry('s1', 'ana'));
      await bench().node(0).enter(channel, entry('s1', 'ana'));
      expect(await bench().node(1).members(channel)).toMatchObject([{ connections: 1 }]);
      await bench().node(0).exit(channel, entry('s1', 'ana'));
      await bench().node(0).exit(channel, entry('s1', 'ana'));
      await bench().node(1).exit(channel, entry('s9', 'nobody'));
      await bench().barrier();
      expect(moves(1, channel)).toEqual(['join ana', 'leave ana']);
    });

    it('lists members by the time they came, then by name of user', async () => {
      const channel = bench().channel();
      await bench()
        .node(0)
        .enter(channel, entry('s1', 'cleo', T + 2));
      await bench()
        .node(1)
        .enter(channel, entry('s2', 'ben', T + 1));
      await bench()
        .node(2)
        .enter(channel, entry('s3', 'dora', T + 1));
      await bench()
        .node(0)
        .enter(channel, entry('s4', 'ana', T + 9));
      await bench()
        .node(0)
        .enter(channel, entry('s5', 'ana', T + 1));
      const members = await bench().node(1).members(channel);
      expect(members.map(({ user }) => user)).toEqual(['ana', 'ben', 'dora', 'cleo']);
      expect(members[0]).toMatchObject({ connections: 2, since: T + 1 });
    });

    it('tells joins and leaves of one user in turn, however often', async () => {
      const channel = await bench().heardByAll();
      for (let i = 0; i < 10; i++) {
        const node = bench().node(ALL[i % 3] as 0 | 1 | 2);
        await node.enter(channel, entry(`s${i}`, 'ana', T + i));
        await node.exit(channel, entry(`s${i}`, 'ana', T + i));
      }
      await bench().barrier();
      const turns = Array.from({ length: 10 }, () => ['join ana', 'leave ana']).flat();
      for (const node of ALL) expect(moves(node, channel)).toEqual(turns);
    });

    it('keeps channels apart, and needs no subscription to store', async () => {
      const [a, b] = [await bench().heardByAll(), bench().channel()];
      await bench().node(0).enter(a, entry('s1', 'ana'));
      await bench().node(0).enter(b, entry('s1', 'ana'));
      await bench().node(0).exit(a, entry('s1', 'ana'));
      await bench().barrier();
      expect(moves(1, a)).toEqual(['join ana', 'leave ana']);
      expect(moves(1, b)).toEqual([]);
      expect(await bench().node(2).members(a)).toEqual([]);
      expect(await bench().node(2).members(b)).toMatchObject([{ user: 'ana', connections: 1 }]);
    });

    it('agrees with a model after a storm from all nodes', async () => {
      const channel = await bench().heardByAll();
      const inside = new Set<string>();
      const steps = Array.from({ length: 200 }, (_, i) => ({
        session: (i * 7) % 12,
        enter: (i * 5) % 3 !== 0,
      }));
      for (const [i, { session, enter }] of steps.entries()) {
        const one = entry(`s${session}`, `user${session % 4}`, T + session);
        const node = bench().node(ALL[i % 3] as 0 | 1 | 2);
        await (enter ? node.enter(channel, one) : node.exit(channel, one));
        if (enter) inside.add(one.session);
        else inside.delete(one.session);
      }
      const connections = new Map<string, number>();
      for (const session of inside) {
        const user = `user${Number(session.slice(1)) % 4}`;
        connections.set(user, (connections.get(user) ?? 0) + 1);
      }
      const members = await bench().node(0).members(channel);
      expect(new Map(members.map((member) => [member.user, member.connections]))).toEqual(connections);
      await bench().barrier();
      for (const node of ALL) {
        const present = new Set<string>();
        for (const { type, member } of bench().ears[node].presence) {
          expect(present.has(member.user), `${type} ${member.user}`).toBe(type === 'leave');
          if (type === 'join') present.add(member.user);
          else present.delete(member.user);
        }
        expect(present).toEqual(new Set(connections.keys()));
      }
    });

    it('ends the entries of a node that stops, and tells the others', async () => {
      const channel = await bench().heardByAll();
      await bench().node(0).enter(channel, entry('s1', 'ana'));
      await bench().node(0).enter(channel, entry('s2', 'ben'));
      await bench().node(1).enter(channel, entry('s3', 'ben'));
      await bench().node(0).stop();
      await bench().ears[2].until('the leave', () => moves(2, channel).includes('leave ana'));
      await bench().barrier([1, 2]);
      expect(moves(1, channel)).toEqual(['join ana', 'join ben', 'leave ana']);
      expect(await bench().node(1).members(channel)).toMatchObject([{ user: 'ben', connections: 1 }]);
    });

    it('takes users and sessions with the names of built-in properties', async () => {
      const channel = await bench().heardByAll('presence:__proto__');
      for (const name of ['__proto__', 'constructor', 'toString']) {
        await bench().node(0).enter(channel, { session: name, user: name, name, since: T });
      }
      const members = await bench().node(1).members(channel);
      expect(members.map(({ user, name }) => [user, name])).toEqual([
        ['__proto__', '__proto__'],
        ['constructor', 'constructor'],
        ['toString', 'toString'],
      ]);
      await bench()
        .node(0)
        .exit(channel, { session: '__proto__', user: '__proto__', name: undefined, since: T });
      await bench().ears[1].until('the leave', () => moves(1, channel).includes('leave __proto__'));
      expect(await bench().node(1).members(channel)).toHaveLength(2);
    });
  });
}
