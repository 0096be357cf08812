// Contract of permission: nothing without it, the same code on every transport, before the first byte; and nothing once it has ended.

import { describe, expect, it } from 'vitest';
import { ERRORS, type ErrorCode } from '../../src/protocol/codes.js';
import { pacedPublisher } from '../support/fast-publisher.js';
import { signToken } from '../support/server.js';
import type { OpenOptions, TransportAdapter } from '../support/transport-reader.js';
import { until } from '../support/wait.js';
import type { TransportBench } from './transport-bench.js';

/** A deadline is served at most two buckets of 200 ms late; the rest is for a busy machine. */
const LATE_MS = 1000;

/** Each poll brings its token anew, and a token is taken until five seconds after its end, for clocks that differ. */
const LEEWAY_MS = 5000;

const inSeconds = (seconds: number): number => Math.floor(Date.now() / 1000) + seconds;
const subscribeTo = (...channels: readonly string[]): OpenOptions => ({
  user: 'ana',
  claims: { channels: Object.fromEntries(channels.map((channel) => [channel, ['subscribe']])) },
});

export function rightsContract(bench: () => TransportBench, { name, traits }: TransportAdapter): void {
  describe('a reader is refused', () => {
    const MANY = Array.from({ length: 129 }, (_, i) => `room:${i}`);
    it.each<[string, ErrorCode, readonly string[], OpenOptions]>([
      ['for a channel that no rule knows', 'unknown_channel', ['nowhere:a'], { user: 'ana' }],
      ['for a channel it may not read', 'forbidden', ['team:red'], { user: 'ana' }],
      [
        'for a channel beside the one it may read',
        'forbidden',
        ['team:red', 'team:blue'],
        subscribeTo('team:red'),
      ],
      ['without a credential', 'unauthenticated', ['room:a'], {}],
      [
        'for a closed channel beside an open one, without a credential',
        'unauthenticated',
        ['open:a', 'room:a'],
        {},
      ],
      ['with a token that is none', 'unauthenticated', ['room:a'], { token: 'rubbish' }],
      [
        'with a token of another secret',
        'unauthenticated',
        ['room:a'],
        { token: signToken({ sub: 'ana' }, 'another-secret-that-is-long-enough-0123456789') },
      ],
      ['with a bad token even where anyone may read', 'unauthenticated', ['open:a'], { token: 'rubbish' }],
      [
        'with a token that has ended',
        'expired',
        ['room:a'],
        { token: signToken({ sub: 'ana', exp: inSeconds(-600) }) },
      ],
      ['for a name that is none', 'invalid_data', ['room:a b'], { user: 'ana' }],
      ['for an empty name', 'invalid_data', [''], { user: 'ana' }],
      ['for more channels than a session may have', 'limit_exceeded', MANY, { user: 'ana' }],
    ])('%s: %s', async (_what, code, channels, options) => {
      await until(() => bench().server.stats().sessions === 0, 'earlier readers to be gone');
      const refusal = await bench().adapter.refusal(bench().server, channels, options);
      expect(refusal.code).toBe(code);
      expect(refusal.status ?? ERRORS[code].status).toBe(ERRORS[code].status);
      if (name !== 'ws') {
        expect(refusal.status).toBe(ERRORS[code].status);
        expect(bench().server.stats().sessions, 'nothing of it stays').toBe(0);
      }
    });
  });

  describe('a reader is let in', () => {
    it('as a stranger where a rule says so', async () => {
      const channel = bench().channel('open');
      const reader = await bench().adapter.open(bench().server, [channel]);
      await bench().publish(channel, 1, 2);
      expect(await reader.payloads(2)).toEqual([1, 2]);
    });

    it('by what its token says of a channel', async () => {
      const channel = bench().channel('team');
      const reader = await bench().open(channel, subscribeTo(channel));
      await bench().publish(channel, 1);
      expect(await reader.payloads(1)).toEqual([1]);
    });
  });

  describe('a token that ends', () => {
    const graceMs = traits.session ? 0 : LEEWAY_MS;

    it('ends the reading, and nothing is delivered after it', async () => {
      const channel = bench().channel('large');
      const exp = inSeconds(3);
      const reader = await bench().open(channel, { claims: { exp } });
      const publisher = pacedPublisher(bench().server.realtime, channel);
      const how = await reader.ended;
      const endedAt = Date.now();
      await publisher.stop();
      expect(how).toBe(traits.session ? 4200 : 'expired');
      expect(endedAt).toBeGreaterThanOrEqual(exp * 1000);
      expect(endedAt).toBeLessThan(exp * 1000 + graceMs + LATE_MS);
      const times = reader.messages(channel).map(({ time }) => time);
      expect(times.length).toBeGreaterThan(20);
      expect(Math.max(...times.slice(-50))).toBeLessThan(exp * 1000 + graceMs + LATE_MS);
    });
  });
}
