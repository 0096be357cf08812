// Shared batches: sessions that were sent the same sequence share one node and one concatenation; one flush a turn.

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { BatchNode, Flusher, type Frame } from '../../src/core/batch.js';
import { FakeClock } from '../support/fake-clock.js';

function frame(text: string, publication = true): Frame {
  const droppable = {
    channel: 'c',
    epoch: 'e',
    offset: 1,
    id: 'i',
    key: undefined,
    overflow: 'disconnect',
  } as const;
  return { bytes: Buffer.from(text), droppable: publication ? droppable : undefined };
}

function walk(root: BatchNode, path: readonly Frame[]): BatchNode {
  return path.reduce((node, step) => node.next(step), root);
}

describe('batch', () => {
  const frames = ['a', 'bc', 'def', 'g'].map((text, i) => frame(text, i !== 3));
  const path = fc.array(fc.constantFrom(...frames), { minLength: 1, maxLength: 5 });

  it('gives sessions with the same sequence the same node, and others another', () => {
    fc.assert(
      fc.property(fc.array(path, { minLength: 1, maxLength: 20 }), (paths) => {
        const root = BatchNode.root();
        const byText = new Map<string, BatchNode>();
        for (const steps of paths) {
          const text = steps.map(({ bytes }) => bytes.toString()).join('|');
          const node = walk(root, steps);
          expect(byText.get(text) ?? node).toBe(node);
          byText.set(text, node);
        }
        expect(new Set(byText.values()).size).toBe(byText.size);
      }),
      { numRuns: 300 },
    );
  });

  it('spells the sequence from the root to the node, with its size and its publications', () => {
    fc.assert(
      fc.property(fc.array(path, { minLength: 1, maxLength: 10 }), (paths) => {
        const root = BatchNode.root();
        for (const steps of paths) {
          const node = walk(root, steps);
          const text = steps.map(({ bytes }) => bytes.toString()).join('');
          expect(node.bytes().toString()).toBe(text);
          expect(node.size).toBe(text.length);
          expect(node.publications).toBe(steps.filter((step) => step.droppable !== undefined).length);
        }
      }),
    );
  });

  it('concatenates once, and not at all for one frame', () => {
    const root = BatchNode.root();
    const [a, b] = frames as [Frame, Frame];
    const node = walk(root, [a, b]);
    expect(node.bytes()).toBe(node.bytes());
    expect(walk(root, [a, b]).bytes()).toBe(node.bytes());
    expect(walk(root, [a]).bytes()).toBe(a.bytes);
  });

  it('tells frames apart by object, not by content', () => {
    const root = BatchNode.root();
    expect(root.next(frame('same'))).not.toBe(root.next(frame('same')));
  });
});

describe('flusher', () => {
  it('flushes every target once at the end of the turn, in the order marked', () => {
    const clock = new FakeClock();
    const flusher = new Flusher((run) => clock.soon(run));
    const flushed: string[] = [];
    for (const name of ['a', 'b']) flusher.mark({ flush: () => flushed.push(name) });
    expect(flushed).toEqual([]);
    clock.endTurn();
    expect(flushed).toEqual(['a', 'b']);
    clock.endTurn();
    expect(flushed).toEqual(['a', 'b']);
  });

  it('begins a new tree each turn, so that what was sent is not held', () => {
    const clock = new FakeClock();
    const flusher = new Flusher((run) => clock.soon(run));
    const { root } = flusher;
    flusher.mark({ flush: () => {} });
    expect(flusher.root).toBe(root);
    clock.endTurn();
    expect(flusher.root).not.toBe(root);
  });

  it('puts what is marked during a flush into the next turn', () => {
    const clock = new FakeClock();
    const flusher = new Flusher((run) => clock.soon(run));
    const flushed: string[] = [];
    flusher.mark({
      flush: () => {
        flushed.push('first');
        flusher.mark({ flush: () => flushed.push('second') });
      },
    });
    clock.endTurn();
    expect(flushed).toEqual(['first']);
    clock.endTurn();
    expect(flushed).toEqual(['first', 'second']);
  });

  it('spreads a large audience over turns, everyone once and in order, newcomers behind', () => {
    const clock = new FakeClock();
    const flusher = new Flusher((run) => clock.soon(run));
    const flushed: number[] = [];
    for (let i = 0; i < 2500; i++) flusher.mark({ flush: () => flushed.push(i) });
    clock.endTurn();
    expect(flushed.length).toBeGreaterThan(0);
    expect(flushed.length).toBeLessThan(2500);
    flusher.mark({ flush: () => flushed.push(2500) });
    for (let turn = 0; turn < 10; turn++) clock.endTurn();
    expect(flushed).toEqual(Array.from({ length: 2501 }, (_, i) => i));
  });

  it('holds no more than those who wait, even if there is no moment without one', () => {
    const clock = new FakeClock();
    const flusher = new Flusher((run) => clock.soon(run));
    const busy = { flush: () => flusher.mark(busy) };
    for (let i = 0; i < 1500; i++) flusher.mark(busy);
    for (let turn = 0; turn < 500; turn++) clock.endTurn();
    const held = Object.values(flusher).filter((field) => Array.isArray(field));
    expect(Math.max(...held.map((list) => list.length))).toBeLessThan(20_000);
  });

  it('goes on with the others when one cannot be written to', () => {
    const clock = new FakeClock();
    const flusher = new Flusher((run) => clock.soon(run));
    const flushed: string[] = [];
    flusher.mark({
      flush: () => {
        throw new Error('a broken link');
      },
    });
    flusher.mark({ flush: () => flushed.push('beside') });
    for (const name of ['next turn', 'later']) {
      try {
        clock.endTurn();
      } catch (error) {
        expect(String(error)).toContain('a broken link');
      }
      flusher.mark({ flush: () => flushed.push(name) });
    }
    clock.endTurn();
    expect(flushed).toEqual(['beside', 'next turn', 'later']);
  });
});
