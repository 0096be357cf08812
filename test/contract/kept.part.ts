// Contract of what is kept to be taken once: one of all who ask gets it, wherever they ask, and it ends by itself.

import { describe, expect, it } from 'vitest';
import { ALL, type Bench, type NodeNumber } from './cluster.js';

const LONG_MS = 60_000;
let keys = 0;
/** A key no other test uses. */
const newKey = (): string => `contract:Key_${++keys}-.`;

export function keptContract(bench: () => Bench): void {
  const keep = (node: NodeNumber, key: string, text: string, ttlMs = LONG_MS): Promise<void> =>
    bench().node(node).keep(key, text, ttlMs);
  const take = (node: NodeNumber, key: string): Promise<string | undefined> => bench().node(node).take(key);

  describe('a text that is kept', () => {
    it.each(ALL)('is taken once, by node %s as by any', async (node) => {
      const key = newKey();
      await keep(0, key, 'text');
      expect(await take(node, key)).toBe('text');
      for (const other of ALL) expect(await take(other, key)).toBeUndefined();
    });

    it('goes to exactly one of a hundred who ask at once on three nodes', async () => {
      for (let round = 0; round < 5; round++) {
        const key = newKey();
        await keep(1, key, `round ${round}`);
        const all = await Promise.all(
          Array.from({ length: 100 }, (_, i) => take((i % 3) as NodeNumber, key)),
        );
        expect(all.filter((text) => text !== undefined)).toEqual([`round ${round}`]);
      }
    });

    it('is not there under another key, and nothing is where nothing was kept', async () => {
      const key = newKey();
      await keep(0, key, 'text');
      for (const other of [`${key}x`, key.slice(1), '__proto__', 'constructor'])
        expect(await take(1, other)).toBeUndefined();
      expect(await take(1, key)).toBe('text');
    });

    it('takes the place of an earlier one with its key', async () => {
      const key = newKey();
      await keep(0, key, 'first');
      await keep(1, key, 'second');
      expect(await take(2, key)).toBe('second');
      expect(await take(0, key)).toBeUndefined();
    });

    it('comes back as it was', async () => {
      for (const text of ['', '{"a":"ä\\u2028"}', '🎉\n\0"', 'x'.repeat(20_000)]) {
        const key = newKey();
        await keep(0, key, text);
        expect(await take(1, key)).toBe(text);
      }
    });

    it('ends by itself', async () => {
      const [short, long] = [newKey(), newKey()];
      await keep(0, short, 'short', 300);
      await keep(0, long, 'long');
      await bench().cluster.pass(400);
      for (const node of ALL) expect(await take(node, short)).toBeUndefined();
      expect(await take(1, long)).toBe('long');
    });

    it('is gone when the store has lost everything', async () => {
      const key = newKey();
      await keep(0, key, 'text');
      await bench().cluster.faults.flush();
      expect(await take(0, key)).toBeUndefined();
    });

    it('is neither kept nor taken by a node that is stopped', async () => {
      const key = newKey();
      await keep(0, key, 'text');
      await bench().node(2).stop();
      await expect(keep(2, key, 'other')).rejects.toMatchObject({ code: 'unavailable' });
      await expect(take(2, key)).rejects.toMatchObject({ code: 'unavailable' });
      expect(await take(1, key)).toBe('text');
    });
  });
}
