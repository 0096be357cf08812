// Tickets and rights over three servers and one Redis: a ticket lets in once on all of them together, and a change of rights reaches all.

import { Injectable, Module } from '@nestjs/common';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { Channel, ChannelParam, OnSubscribe, RealtimeService, Who, type Identity } from '../../src/index.js';
import { startE2e, type E2eServer } from '../support/e2e-server.js';
import { poll } from '../support/poll-client.js';
import { freshPrefix } from '../support/redis-nodes.js';
import { timesToLive } from '../support/redis-fleet.js';
import { startCluster, startSentinel, startStandalone, type RedisFleet } from '../support/redis-fleet.js';
import { TEST_API_KEY } from '../support/server.js';
import { disposeStreams, openSse } from '../support/sse-client.js';
import { until } from '../support/wait.js';
import { CONNECTS, DoorModule, enter, type Way } from '../support/ways-in.js';
import { connect, disposeClients } from '../support/ws-client.js';

/** Milliseconds in which every instance must have obeyed. */
const PROMISED_MS = 1000;

/** `user team` pairs, as a team's own database has them. */
const left = new Set<string>();

@Channel('team:{name}', { history: { size: 50, ttl: '1h' }, presence: true })
class Team {
  @OnSubscribe()
  async enter(@Who() who: Identity, @ChannelParam('name') name: string): Promise<boolean> {
    await Promise.resolve();
    return !left.has(`${who.user} ${name}`);
  }
}

/** As a team writes it. */
@Injectable()
class Teams {
  constructor(private readonly realtime: RealtimeService) {}

  async leave(user: string, team: string): Promise<void> {
    left.add(`${user} ${team}`);
    await this.realtime.refresh(user);
  }
}

@Module({ providers: [Team, Teams] })
class TeamModule {}

const FLEETS: readonly (readonly [string, () => Promise<RedisFleet>])[] = [
  ['standalone', startStandalone],
  ['Sentinel', startSentinel],
  ['Cluster', startCluster],
];

describe.each(FLEETS)('over Redis, %s', (_kind, startFleet) => {
  let fleet: RedisFleet;
  let servers: readonly E2eServer[];
  const prefix = freshPrefix();

  beforeAll(async () => {
    fleet = await startFleet();
    const env = { TRUNKLINE_BACKPLANE: 'redis', REDIS_URL: fleet.url, TRUNKLINE_REDIS_PREFIX: prefix };
    const boot = { modules: [DoorModule, TeamModule] };
    servers = await Promise.all([0, 1, 2].map(() => startE2e({ env, boot })));
  });
  afterEach(() => {
    disposeClients();
    disposeStreams();
    left.clear();
  });
  afterAll(async () => {
    await Promise.all(servers.map((server) => server.close()));
    await fleet.stop();
  });

  const at = (n: number): E2eServer => servers[n % servers.length] as E2eServer;

  async function ticketOf(server: E2eServer, user: string): Promise<string> {
    const response = await fetch(`${server.url}/api/tickets`, {
      method: 'POST',
      headers: { authorization: `Bearer ${server.token(user)}` },
    });
    expect(response.status).toBe(201);
    return ((await response.json()) as { ticket: string }).ticket;
  }

  describe('a ticket', () => {
    it('of one server is good on another', async () => {
      for (let n = 0; n < 3; n++) {
        const ticket = await ticketOf(at(n), 'ana');
        expect((await enter(at(n + 1).url, CONNECTS[n] as Way, { query: [['ticket', ticket]] })).as).toBe(
          'ana',
        );
        for (const server of servers)
          expect((await enter(server.url, 'websocket', { query: [['ticket', ticket]] })).status).toBe(401);
      }
    });

    it('lets in exactly one of a hundred who come at once on three servers by all transports', async () => {
      for (let round = 0; round < 3; round++) {
        const ticket = await ticketOf(at(round), 'ana');
        const all = await Promise.all(
          Array.from({ length: 100 }, (_, n) =>
            enter(at(n).url, CONNECTS[Math.floor(n / 3) % 3] as Way, { query: [['ticket', ticket]] }),
          ),
        );
        expect(all.filter(({ as }) => as === 'ana')).toHaveLength(1);
        expect(all.filter(({ status }) => status === 401)).toHaveLength(99);
      }
    });

    it('stands in Redis as a digest with an end of half a minute at most', async () => {
      const ticket = await ticketOf(at(0), 'ana');
      const kept = [...(await timesToLive(fleet, prefix))].filter(([key]) => key.includes(':kept:'));
      expect(kept.length).toBeGreaterThan(0);
      for (const [key, leftMs] of kept) {
        expect(leftMs).toBeGreaterThan(0);
        expect(leftMs).toBeLessThanOrEqual(30_000);
        const text = String(await fleet.ask(key, 'GET', key));
        for (const shown of [key, text]) expect(shown).not.toContain(ticket.slice(4));
        expect(text).not.toContain(at(0).token('ana').split('.')[2]);
      }
    });

    it('is refused on every server when its user was revoked on one', async () => {
      const tickets = await Promise.all(servers.map((server) => ticketOf(server, 'rita')));
      await fetch(`${at(0).url}/api/users/rita/revocations`, {
        method: 'POST',
        headers: { authorization: `Bearer ${TEST_API_KEY}` },
      });
      const stranger = { kind: 'user', user: 'rita', issuedAt: 0 } as unknown as Identity;
      await until(() => servers.every(({ core }) => core.revocations.refuses(stranger)), 'all to know');
      for (const [n, ticket] of tickets.entries())
        expect((await enter(at(n + 1).url, 'polling', { query: [['ticket', ticket]] })).status).toBe(401);
    });
  });

  describe('a refresh', () => {
    it('takes the user out of what he lost on every server and transport within a second, and nobody else', async () => {
      const token = at(0).token('ana');
      const sockets = await Promise.all(servers.map((server) => connect(server.wsUrl, { token })));
      for (const socket of sockets)
        for (const name of ['red', 'blue']) await socket.subscribe(`team:${name}`);
      const stream = await openSse(at(1).url, ['team:red', 'team:blue'], { token });
      await stream.ready();
      const { cursor } = (await poll(at(2).url, ['team:red'], { token })).body;
      const waiting = poll(at(2).url, ['team:red'], { token, cursor, wait: 25 });
      await until(() => at(2).realtime.sessions('ana').length === 2, 'the poll to wait');
      const ben = await connect(at(1).wsUrl, { token: at(1).token('ben') });
      await ben.subscribe('team:red');

      const asked = performance.now();
      await at(0).app.get(Teams, { strict: false }).leave('ana', 'red');
      const told = await Promise.all(sockets.map((socket) => socket.next('unsubscribed')));
      const streamed = await stream.next('unsubscribed');
      const answer = await waiting;
      expect(performance.now() - asked).toBeLessThan(PROMISED_MS);
      for (const { data } of [...told, streamed])
        expect([data.channel, data.code]).toEqual(['team:red', 'forbidden']);
      expect(answer.body.messages).toEqual([]);
      const again = await poll(at(2).url, ['team:red'], { token, cursor: answer.body.cursor, wait: 25 });
      expect([again.status, again.problem['code']]).toEqual([403, 'forbidden']);

      await at(2).realtime.publish('team:red', 'note', 1);
      await at(2).realtime.publish('team:blue', 'note', 2);
      await ben.next('message');
      for (const socket of sockets) {
        expect((await socket.next('message')).data.channel).toBe('team:blue');
        await socket.expectNone('message');
        expect(await socket.refusal('subscribe', { channel: 'team:red' })).toBe('forbidden');
      }
      expect((await stream.next('message')).data.channel).toBe('team:blue');
      await ben.expectNone('unsubscribed');
      // A leave waits two seconds for a return.
      const present = async (): Promise<readonly string[]> =>
        (await ben.ok('presence', { channel: 'team:red' })).members.map(({ user }) => user);
      await until(async () => (await present()).join() === 'ben', 'the leave');
    });

    it('changes nothing for who has lost nothing', async () => {
      const socket = await connect(at(1).wsUrl, { token: at(1).token('cleo') });
      await socket.subscribe('team:red');
      await at(0).realtime.refresh('cleo');
      await at(0).realtime.publish('team:red', 'note', 1);
      await socket.next('message');
      await socket.expectNone('unsubscribed');
    });
  });
});
