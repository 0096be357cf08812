// Contract of transports that hold a session: copies spared, joined and taken out by the server, told of what is to come. Knows no wire.

import { afterEach, describe, expect, it } from 'vitest';
import { CROWD, TransportBench } from './transport-bench.js';

const DRAIN_MS = 400;

const inSeconds = (seconds: number): number => Math.floor(Date.now() / 1000) + seconds;

export function sessionContract(bench: () => TransportBench): void {
  describe('a session', () => {
    let own: TransportBench | undefined;
    afterEach(() => own?.end());

    it('is spared its own copy when the publisher says so, and the next reader is not', async () => {
      const channel = bench().channel();
      const [reader, other] = await Promise.all([
        bench().open(channel),
        bench().open(channel, { user: 'ben' }),
      ]);
      const { session } = reader;
      expect(session).toEqual(expect.any(String));
      const path = `/channels/${encodeURIComponent(channel)}/messages`;
      const body = { event: 'tick', data: 'own', exceptSession: session };
      expect((await bench().server.api('POST', path, body)).status).toBe(201);
      await bench().publish(channel, 'for all');
      expect(await reader.payloads(1)).toEqual(['for all']);
      expect(await other.payloads(2)).toEqual(['own', 'for all']);
      expect(reader.gaps(channel)).toEqual([]);
    });

    it('that the server joins to a channel is told, hears it, and hears nothing after it was taken out', async () => {
      const [chosen, joined] = [bench().channel(), bench().channel('inbox')] as const;
      const user = `joined-${joined}`;
      const reader = await bench().open(chosen, { user });
      await bench().server.realtime.subscribe(user, joined);
      expect((await reader.next('subscribed')).data).toMatchObject({ channel: joined, recovered: false });
      await bench().publish(joined, 'hello');
      expect(await reader.payloads(1)).toEqual(['hello']);
      await bench().publish(chosen, 'own');
      expect(await reader.payloads(1)).toEqual(['own']);

      await bench().server.realtime.unsubscribe(user, joined);
      expect((await reader.next('unsubscribed')).data).toMatchObject({ channel: joined, code: 'forbidden' });
      await bench().publish(joined, 'too late');
      await bench().publish(chosen, 'barrier');
      expect(await reader.payloads(1)).toEqual(['barrier']);
    });

    it('is told before its token ends', async () => {
      const exp = inSeconds(20);
      const reader = await bench().open(bench().channel(), { claims: { exp } });
      expect((await reader.next('expiring')).data['expiresAt']).toBe(exp * 1000);
    });

    it('is told its own moment of a drain', async () => {
      own = await TransportBench.start(bench().adapter);
      const readers = await own.crowd('room:moments');
      void own.server.core.drain(DRAIN_MS);
      const moments = await Promise.all(readers.map((reader) => reader.next('reconnect')));
      const sorted = moments.map(({ data }) => data['afterMs'] as number).sort((a, b) => a - b);
      expect(moments.every(({ data }) => data['reason'] === 'drain')).toBe(true);
      sorted.forEach((afterMs, place) => {
        expect(afterMs).toBeGreaterThanOrEqual(Math.floor((place * DRAIN_MS) / CROWD));
        expect(afterMs).toBeLessThanOrEqual(Math.ceil(((place + 1) * DRAIN_MS) / CROWD));
      });
      await Promise.all(readers.map(({ ended }) => ended));
    });
  });

  describe('the backend', () => {
    it('ends the sessions of a user, of whom nothing stays and to whom nothing more comes', async () => {
      const channel = bench().channel();
      const user = `revoked-${channel}`;
      const [first, second, other] = await Promise.all([
        bench().open(channel, { user }),
        bench().open(channel, { user }),
        bench().open(channel),
      ]);
      await bench().server.realtime.disconnect(user);
      expect([await first.ended, await second.ended]).toEqual([4003, 4003]);
      await bench().publish(channel, 'after');
      expect(await other.payloads(1)).toEqual(['after']);
      expect([...first.seen, ...second.seen]).toEqual([]);
      expect(bench().server.realtime.sessions(user)).toEqual([]);
    });
  });
}
