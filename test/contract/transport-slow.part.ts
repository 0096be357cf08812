// Contract of a reader that stops reading: it gets or is told of every publication, by the policy of the channel. Knows no bound but that there is one.

import { describe, expect, it } from 'vitest';
import { until } from '../support/wait.js';
import type { TransportBench } from './transport-bench.js';

const PAYLOAD = 'x'.repeat(60_000);
const KEYS = 4;
/** 12 MB, where a kernel takes about 4 for a peer that does not read. */
const ROUNDS = 200;

export function slowContract(bench: () => TransportBench): void {
  describe('a reader that does not read for a while', () => {
    it.each(['drop-oldest', 'drop-newest', 'conflate'])(
      'gets or is told of every publication (%s)',
      async (policy) => {
        const channel = bench().channel(policy);
        const reader = await bench().open(channel);
        reader.pause();
        for (let n = 1; n <= ROUNDS; n++) {
          const options = { key: `k${n % KEYS}` };
          await bench().server.realtime.publish(channel, 'tick', { n, PAYLOAD }, options);
        }
        reader.resume();
        const told = (): number => reader.gaps(channel).reduce((sum, gap) => sum + gap.count, 0);
        await until(() => reader.messages(channel).length + told() >= ROUNDS, 'all to be accounted for');
        await bench().server.realtime.publish(channel, 'tick', 'last');
        await reader.next('message', ({ data }) => data.data === 'last');

        const offsets = reader.messages(channel).map(({ offset }) => offset);
        expect(offsets).toEqual([...new Set(offsets)].sort((a, b) => a - b));
        expect(offsets.length + told(), 'each is seen or told').toBe(ROUNDS + 1);
        expect(told(), 'some were left out').toBeGreaterThan(0);
        const seen = new Set(offsets);
        const covered = (offset: number): boolean =>
          seen.has(offset) || reader.gaps(channel).some(({ from, to }) => from <= offset && offset <= to);
        expect(Array.from({ length: ROUNDS }, (_, i) => i + 1).filter((one) => !covered(one))).toEqual([]);
        expect(reader.isOpen).toBe(true);
      },
    );
  });
}
