// Contract of the end: a drain tells everybody and lets nobody new in, and closing the application is not held up by open readers.

import { afterEach, describe, expect, it } from 'vitest';
import type { TransportAdapter } from '../support/transport-reader.js';
import { TransportBench } from './transport-bench.js';

const DRAIN_MS = 400;

export function endContract(adapter: TransportAdapter): void {
  const { traits } = adapter;
  let bench: TransportBench | undefined;
  afterEach(() => bench?.end());

  describe('a drain', () => {
    it('tells every reader, ends all within its window, and refuses newcomers', async () => {
      bench = await TransportBench.start(adapter);
      const { server } = bench;
      const readers = await bench.crowd('room:drain');
      const draining = server.core.drain(DRAIN_MS);
      const refusal = await adapter.refusal(server, ['room:drain'], { user: 'late' });
      expect(refusal).toEqual({ code: 'unavailable', status: 503 });
      const start = performance.now();
      const ends = await Promise.all(readers.map(({ ended }) => ended));
      expect(performance.now() - start).toBeLessThan(DRAIN_MS + 1500);
      expect(new Set(ends)).toEqual(new Set([traits.session ? 1001 : 'unavailable']));
      await draining;
      expect(server.stats().sessions).toBe(0);
    });
  });

  describe('closing the application', () => {
    it('with open readers takes less than a second, and leaves nothing', async () => {
      bench = await TransportBench.start(adapter);
      const { server } = bench;
      const readers = await bench.crowd('room:close');
      const start = performance.now();
      await server.app.close();
      expect(performance.now() - start).toBeLessThan(1000);
      const ends = await Promise.all(readers.map(({ ended }) => ended));
      expect(server.stats().sessions).toBe(0);
      if (traits.session) expect(new Set(ends)).toEqual(new Set([1001]));
    });
  });
}
