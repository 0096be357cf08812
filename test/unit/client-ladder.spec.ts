// Which transport is tried next, what is remembered, and how often anything is asked: pure parts, no server.

import { describe, expect, it } from 'vitest';
import { backoffDelay } from '../../client/src/backoff.js';
import { ConnectionMachine } from '../../client/src/connection-machine.js';
import { lastChoice } from '../../client/src/environment.js';
import { Ladder } from '../../client/src/ladder.js';
import { claimsOf } from '../../client/src/claims.js';
import { baseUrl } from '../../client/src/transports.js';
import { signToken } from '../support/server.js';

const rungs = (ladder: Ladder, tries: number): readonly number[] =>
  Array.from({ length: tries }, () => {
    const { rung } = ladder;
    ladder.failed();
    return rung;
  });

describe('the ladder', () => {
  it('goes down a rung for each try that tells nothing, and begins anew at the end', () => {
    expect(rungs(new Ladder(3), 7)).toEqual([0, 1, 2, 0, 1, 2, 0]);
    expect(rungs(new Ladder(1), 3)).toEqual([0, 0, 0]);
  });

  it('gives what worked last three tries before others', () => {
    const ladder = new Ladder(3);
    ladder.failed();
    ladder.welcomed(1);
    expect(rungs(ladder, 6)).toEqual([1, 1, 1, 2, 0, 1]);
  });

  it('begins with what is remembered, with three tries as well', () => {
    expect(rungs(new Ladder(3, 2), 5)).toEqual([2, 2, 2, 0, 1]);
    expect(rungs(new Ladder(3, -1), 2)).toEqual([0, 1]);
  });

  it('goes back to the top when the credential was refused', () => {
    const ladder = new Ladder(3, 2);
    ladder.refused();
    expect(rungs(ladder, 2)).toEqual([0, 1]);
  });

  it('knows whether there is another to try', () => {
    expect([new Ladder(1).hasLower, new Ladder(3).hasLower, new Ladder(3, 2).hasLower]).toEqual([
      false,
      true,
      false,
    ]);
  });

  it('plans tries with better ones from 10 s on, doubling up to 10 min, spread, and none on the best', () => {
    const ladder = new Ladder(3, 2);
    const delays = Array.from({ length: 9 }, () => {
      const delay = ladder.probeDelay(() => 0.5);
      ladder.probe();
      return delay;
    });
    expect(delays).toEqual([10, 20, 40, 80, 160, 320, 600, 600, 600].map((seconds) => seconds * 1000));
    expect(ladder.probeDelay(() => 0)).toBe(450_000);
    expect(ladder.probeDelay(() => 0.9999)).toBeLessThanOrEqual(750_000);
    const soon = ladder.probeDelay(() => 0, true);
    expect(soon).toBeGreaterThanOrEqual(500);
    expect(soon).toBeLessThanOrEqual(1000);
    expect(ladder.probeDelay(() => 0.5)).toBe(10_000);
    expect(new Ladder(3).probeDelay(() => 0.5)).toBeUndefined();
  });

  it('tries each better one in turn, the best first', () => {
    const ladder = new Ladder(3, 2);
    expect([ladder.probe(), ladder.probe(), ladder.probe()]).toEqual([0, 1, 0]);
  });
});

describe('the remembered choice', () => {
  const storage = (held = new Map<string, string>()) => ({
    held,
    getItem: (key: string) => held.get(key) ?? null,
    setItem: (key: string, value: string) => void held.set(key, value),
  });

  it('is kept for an hour, one for each address', () => {
    const kept = storage();
    lastChoice('http://a', kept, 'polling');
    expect(lastChoice('http://a', kept)).toBe('polling');
    expect(lastChoice('http://b', kept)).toBeUndefined();
    for (const [key] of kept.held) kept.held.set(key, `${Date.now() - 3_600_001} polling`);
    expect(lastChoice('http://a', kept)).toBeUndefined();
  });

  it('never throws', () => {
    const broken = {
      getItem: (): never => {
        throw new Error('forbidden');
      },
      setItem: (): never => {
        throw new Error('full');
      },
    };
    expect(lastChoice('', broken, 'sse')).toBeUndefined();
    expect(lastChoice('', broken)).toBeUndefined();
    for (const text of ['', 'x', '{"a":1}', 'NaN sse', `${Date.now() + 9_999_999} sse`])
      expect(lastChoice('', storage(new Map([['trunkline ', text]])))).toBeUndefined();
    expect(lastChoice('', undefined, 'sse')).toBeUndefined();
  });
});

describe('no tight loop', () => {
  it('waits at least the shortest delay at each end of any kind but one return at once, until a connection has held', () => {
    for (const code of [1001, 1006, 1011, 1013, 4100, 4103, 4200, 4201, 4202]) {
      const machine = new ConnectionMachine({
        minDelayMs: 500,
        maxDelayMs: 20_000,
        stableAfterMs: 10_000,
        random: () => 0,
      });
      const waits = Array.from({ length: 20 }, (_, at) => {
        machine.connect();
        machine.opened(at, 'sse');
        return machine.lost(code, 'test', at).retryInMs ?? 0;
      });
      expect(Math.min(...waits.slice(1)), `code ${code}`).toBeGreaterThanOrEqual(500);
    }
  });

  it('waits as long as the server says, spread, and never shorter than without its word', () => {
    const make = (random: number): ConnectionMachine =>
      new ConnectionMachine({
        minDelayMs: 500,
        maxDelayMs: 20_000,
        stableAfterMs: 10_000,
        random: () => random,
      });
    expect(make(0).lost(1013, 'busy', 0, 7000).retryInMs).toBe(7000);
    expect(make(0.5).lost(1013, 'busy', 0, 7000).retryInMs).toBe(7250);
    expect(make(0).lost(1013, 'busy', 0, 1).retryInMs).toBe(500);
    expect(backoffDelay(1, { minDelayMs: 500, maxDelayMs: 20_000, random: () => 0 })).toBe(500);
  });
});

describe('small parts', () => {
  it('find the address of requests beside the one of the socket', () => {
    expect(baseUrl('http://localhost:3000')).toBe('http://localhost:3000/');
    expect(baseUrl('https://example.org/live/')).toBe('https://example.org/live/');
    expect(baseUrl('wss://example.org/live/ws')).toBe('https://example.org/live/');
    expect(baseUrl('ws://localhost:3000')).toBe('http://localhost:3000/');
  });

  it('read the end of a token, and nothing from what is none', () => {
    expect(claimsOf(signToken({ sub: 'zoë', exp: 5 }))).toMatchObject({ sub: 'zoë', exp: 5 });
    for (const text of [undefined, '', 'a', 'a.b.c', '..', 'a.e30'])
      expect(claimsOf(text)?.exp).toBeUndefined();
  });
});
