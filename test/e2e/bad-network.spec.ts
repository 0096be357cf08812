// A bad network in short: users of the client see each message of a history channel once, in order, on each transport and while
// switching. `npm run soak` takes a minute for it.

import { describe, expect, it } from 'vitest';
import { report } from '../support/e2e-server.js';
import { feedThroughBadNetwork } from '../support/bad-network.js';
import { tickerThroughSlowLine } from '../support/bad-ticker.js';

describe('through a network that drops, stalls, half-closes and delays', () => {
  it('every reader sees every message once, in order', { timeout: 90_000 }, async () => {
    const { published, readers, faults } = await feedThroughBadNetwork({ seconds: 8, seed: 7, rate: 500 });
    report(`${published} published; ${JSON.stringify(readers)}; faults ${JSON.stringify(faults)}`);
    for (const { name, connections } of readers) expect(connections, name).toBeGreaterThan(1);
  });
});

describe('a ticker that is faster than the line', () => {
  it('is conflated, says so, and ends at the last value', { timeout: 90_000 }, async () => {
    const { published, readers } = await tickerThroughSlowLine({ seconds: 6, seed: 3, rate: 400 });
    report(`${published} ticks; ${JSON.stringify(readers)}`);
    for (const { name, seen, told, reasons } of readers) {
      expect(told, name).toBeGreaterThan(0);
      expect(seen + told, name).toBe(published);
      expect(reasons, name).toContain('conflated');
    }
  });
});
