// Many deadlines on one timer: never early, late by a bucket at most, and gone when cleared.

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { BUCKET_MS, Deadlines } from '../../src/core/deadlines.js';
import { FakeClock } from '../support/fake-clock.js';

function bench() {
  const clock = new FakeClock();
  const served: { item: string; at: number }[] = [];
  const deadlines = new Deadlines<string>(clock, (item) => void served.push({ item, at: clock.now() }));
  return { clock, served, deadlines, start: clock.now(), names: () => served.map(({ item }) => item) };
}

/** One bucket to wait for its end, one for the timer that serves it. */
const LATEST_MS = 2 * BUCKET_MS;

describe('deadlines', () => {
  it('are served once, not early and late by little, whatever is set, moved and cleared', async () => {
    const step = fc.record({
      item: fc.constantFrom('a', 'b', 'c', 'd', '__proto__'),
      inMs: fc.option(fc.integer({ min: -100, max: 3000 }), { nil: undefined }),
      pass: fc.integer({ min: 0, max: 500 }),
    });
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 25 }), async (script) => {
        const { clock, served, deadlines } = bench();
        const due = new Map<string, number>();
        const check = (): void => {
          for (const { item, at } of served.splice(0)) {
            const wanted = due.get(item);
            expect(wanted, `${item} was not set`).toBeDefined();
            expect(at).toBeGreaterThanOrEqual(wanted ?? Infinity);
            due.delete(item);
          }
          for (const [item, at] of due) expect(clock.now() - at, `${item} is late`).toBeLessThan(LATEST_MS);
        };
        for (const { item, inMs, pass } of script) {
          if (inMs === undefined) {
            deadlines.clear(item);
            due.delete(item);
          } else {
            deadlines.set(item, clock.now() + inMs);
            // A deadline in the past counts from now on.
            due.set(item, clock.now() + Math.max(0, inMs));
          }
          await clock.advance(pass);
          check();
        }
        await clock.advance(3000 + LATEST_MS);
        check();
        expect(due.size).toBe(0);
        expect(clock.pending).toBe(0);
      }),
      { numRuns: 60 },
    );
  });

  it('of ten thousand items need one timer', async () => {
    const { clock, served, deadlines, start } = bench();
    for (let i = 0; i < 10_000; i++) deadlines.set(`s${i}`, start + (i % 50) * 100);
    expect(clock.pending).toBe(1);
    await clock.advance(6000);
    expect(served).toHaveLength(10_000);
    expect(clock.pending).toBe(0);
  });

  it('may be set anew while they are served', async () => {
    const clock = new FakeClock();
    let times = 0;
    const deadlines = new Deadlines<string>(clock, (item) => {
      if (++times < 3) deadlines.set(item, clock.now() + 1000);
    });
    deadlines.set('a', clock.now() + 1000);
    await clock.advance(10_000);
    expect(times).toBe(3);
  });

  it('are not served when cleared by another that is served in the same step', async () => {
    const clock = new FakeClock();
    const served: string[] = [];
    const deadlines = new Deadlines<string>(clock, (item) => {
      served.push(item);
      deadlines.clear('b');
      deadlines.set('c', clock.now() + 5000);
    });
    for (const item of ['a', 'b', 'c']) deadlines.set(item, clock.now() + 1000);
    await clock.advance(2000);
    expect(served).toEqual(['a']);
    await clock.advance(5000);
    expect(served[1]).toBe('c');
  });

  it('are gone after stop', async () => {
    const { clock, served, deadlines, start } = bench();
    deadlines.set('a', start + 300);
    deadlines.stop();
    deadlines.set('b', start + 300);
    await clock.advance(5000);
    expect(served).toEqual([]);
    expect(clock.pending).toBe(0);
  });
});
