// Contract of idempotency keys: one publication per key, channel and window, whichever node is asked.

import { describe, expect, it } from 'vitest';
import { ALL, upTo, type Bench } from './cluster.js';

export function idempotencyContract(bench: () => Bench): void {
  describe('idempotency', () => {
    it('answers a used key with the first position, from any node, and publishes nothing', async () => {
      const channel = await bench().heardByAll();
      const first = await bench().append(0, channel, { idempotencyKey: 'a', data: '"first"' });
      expect(first.duplicate).toBe(false);
      for (const node of ALL) {
        const again = await bench().append(node, channel, { idempotencyKey: 'a', data: '"second"' });
        expect(again).toEqual({ position: first.position, duplicate: true });
      }
      await bench().append(1, channel, { data: '"last"' });
      const heard = await bench().hearsAll(2, channel, 2);
      expect(heard.map(({ data }) => data)).toEqual(['"first"', '"last"']);
    });

    it('publishes once when many nodes are asked at once', async () => {
      const channel = await bench().heardByAll();
      const asked = upTo(10).flatMap(() =>
        ALL.map((node) => bench().append(node, channel, { idempotencyKey: 'b' })),
      );
      const answers = await Promise.all(asked);
      expect(answers.filter(({ duplicate }) => !duplicate)).toHaveLength(1);
      expect(new Set(answers.map(({ position }) => position.id)).size).toBe(1);
      expect((await bench().read(0, channel)).top.offset).toBe(1);
    });

    it('keeps the first position while the channel goes on', async () => {
      const channel = bench().channel();
      const first = await bench().append(0, channel, { idempotencyKey: 'c' });
      await bench().appendMany(channel, 3);
      expect(await bench().append(1, channel, { idempotencyKey: 'c' })).toEqual({
        ...first,
        duplicate: true,
      });
    });

    it('keeps keys of channels apart, and names that only look alike', async () => {
      const [a, b] = [bench().channel(), bench().channel()];
      const named = [
        [a, 'd'],
        [b, 'd'],
        [a, 'd:d'],
        [`${a}:d`, 'd'],
        [a, '__proto__'],
      ] as const;
      for (const [channel, idempotencyKey] of named) {
        expect((await bench().append(0, channel, { idempotencyKey })).duplicate).toBe(false);
      }
      for (const [channel, idempotencyKey] of named) {
        expect((await bench().append(1, channel, { idempotencyKey })).duplicate).toBe(true);
      }
    });

    it('holds for publications that are not kept', async () => {
      const channel = await bench().heardByAll();
      const first = await bench().tell(0, channel, { idempotencyKey: 'e' });
      const again = await bench().tell(1, channel, { idempotencyKey: 'e' });
      expect(again).toEqual({ position: first.position, duplicate: true });
      await bench().barrier();
      expect(
        bench()
          .ears[2].of(channel)
          .map(({ id }) => id),
      ).toEqual([first.position.id]);
    });

    it('ends with its window, counted from the first publication', async () => {
      const channel = bench().channel();
      const { idempotency, slack } = bench().cluster.timing;
      const first = await bench().append(0, channel, { idempotencyKey: 'f' });
      await bench().cluster.pass(idempotency / 2 - slack);
      expect((await bench().append(1, channel, { idempotencyKey: 'f' })).duplicate).toBe(true);
      await bench().cluster.pass(idempotency / 2 + 2 * slack);
      const later = await bench().append(2, channel, { idempotencyKey: 'f' });
      expect(later.duplicate).toBe(false);
      expect(later.position.offset).toBe(first.position.offset + 1);
      expect((await bench().append(0, channel, { idempotencyKey: 'f' })).position).toEqual(later.position);
    });
  });
}
