// Small things that many rooms use: what is told seldom, what is remembered while it is used, and files that are followed.

import { mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { FileWatch } from '../../src/auth/file-watch.js';
import { RecentMap } from '../../src/core/ports/recent-map.js';
import { Seldom } from '../../src/core/ports/seldom.js';
import { FakeClock } from '../support/fake-clock.js';

describe('what repeats itself', () => {
  it('is told at once, then once in a time with how often it came', () => {
    const seldom = new Seldom(1000);
    expect(seldom.due('a', 5000)).toBe(0);
    for (const now of [5000, 5400, 5999]) expect(seldom.due('a', now)).toBeUndefined();
    expect(seldom.due('b', 5400)).toBe(0);
    expect(seldom.due('a', 6000)).toBe(3);
    expect(seldom.due('a', 7000)).toBe(0);
  });

  it('is told when the clock was set back', () => {
    const seldom = new Seldom(1000);
    expect(seldom.due('a', 5000)).toBe(0);
    expect(seldom.due('a', 100)).toBe(0);
  });

  it('is never lost from the count, however many kinds come', () => {
    const step = fc.record({ kind: fc.nat(9), pass: fc.nat(700) });
    fc.assert(
      fc.property(fc.array(step), (steps) => {
        const seldom = new Seldom(1000, 10);
        const came = new Map<string, number>();
        const told = new Map<string, number>();
        let now = 0;
        const add = (map: Map<string, number>, kind: string, more: number): unknown =>
          map.set(kind, (map.get(kind) ?? 0) + more);
        for (const { kind, pass } of steps) {
          now += pass;
          add(came, `${kind}`, 1);
          const untold = seldom.due(`${kind}`, now);
          if (untold !== undefined) add(told, `${kind}`, untold + 1);
        }
        now += 1000;
        for (const [kind, times] of came) {
          const untold = seldom.due(kind, now);
          expect((told.get(kind) ?? 0) + (untold ?? 0)).toBe(times);
        }
      }),
    );
  });
});

describe('a map of what was used lately', () => {
  it('holds its bound, and always the half that was used last', () => {
    const use = fc.record({ key: fc.nat(30), put: fc.boolean() });
    fc.assert(
      fc.property(fc.integer({ min: 2, max: 20 }), fc.array(use), (most, uses) => {
        const map = new RecentMap<number>(most);
        const recent: number[] = [];
        for (const [at, { key, put }] of uses.entries()) {
          const known = map.get(`${key}`);
          if (put) map.set(`${key}`, at);
          if (known === undefined && !put) continue;
          const before = recent.indexOf(key);
          if (before >= 0) recent.splice(before, 1);
          recent.unshift(key);
          for (const one of recent.slice(0, Math.floor(most / 2))) expect(map.peek(`${one}`)).toBeDefined();
          expect(map.size).toBeLessThanOrEqual(most);
        }
      }),
    );
  });

  it('counts a peek as no use', () => {
    const map = new RecentMap<number>(4);
    for (const key of ['a', 'b', 'c']) map.set(key, 1);
    expect(map.peek('a')).toBe(1);
    for (const key of ['d', 'e']) map.set(key, 1);
    expect(map.peek('a')).toBeUndefined();
  });
});

describe('files that are followed', () => {
  let folder: string;
  let clock: FakeClock;
  let changes: number;
  let watch: FileWatch;
  const file = (name: string): string => join(folder, name);

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'trunkline-watch-'));
    clock = new FakeClock();
    changes = 0;
    writeFileSync(file('one'), 'a');
    const paths = [file('one'), file('two')];
    watch = new FileWatch({ paths, everyMs: 1000, clock, onChange: () => void changes++ });
    watch.start();
  });
  afterEach(() => {
    watch.stop();
    rmSync(folder, { recursive: true });
  });

  it.each<[string, () => void]>([
    ['written', () => writeFileSync(file('one'), 'b')],
    [
      'replaced by one of the same size',
      () => {
        writeFileSync(file('new'), 'c');
        renameSync(file('new'), file('one'));
      },
    ],
    ['removed', () => rmSync(file('one'))],
    ['made', () => writeFileSync(file('two'), '')],
  ])('are told once when one was %s', async (_how, change) => {
    await clock.advance(3000);
    expect(changes).toBe(0);
    change();
    await clock.advance(10_000);
    expect(changes).toBe(1);
  });

  it('are told at once on SIGHUP, and not after the end', async () => {
    process.emit('SIGHUP', 'SIGHUP');
    expect(changes).toBe(1);
    watch.stop();
    process.emit('SIGHUP', 'SIGHUP');
    writeFileSync(file('one'), 'b');
    await clock.advance(5000);
    expect(changes).toBe(1);
  });

  it('are followed once, however often that is asked', async () => {
    watch.start();
    writeFileSync(file('one'), 'b');
    await clock.advance(1000);
    expect(changes).toBe(1);
    const listeners = process.listenerCount('SIGHUP');
    watch.start();
    expect(process.listenerCount('SIGHUP')).toBe(listeners);
  });
});
