// A minute in a bad network at 500 messages a second: nothing lost, repeated or reordered on any transport and while switching; and a
// ticker on lines too slow for it. Other seeds: `SEED=42 npm run soak`.

import { describe, expect, it } from 'vitest';
import { feedThroughBadNetwork } from '../support/bad-network.js';
import { tickerThroughSlowLine } from '../support/bad-ticker.js';
import { report } from '../support/e2e-server.js';

const SECONDS = Number(process.env['SECONDS'] ?? 60);
const SEED = Number(process.env['SEED'] ?? Date.now() % 1_000_000);
const LIMIT_MS = (SECONDS + 120) * 1000;

describe(`${SECONDS} s in a bad network, seed ${SEED}`, () => {
  it('every reader of the feed sees every message once, in order', { timeout: LIMIT_MS }, async () => {
    const { published, readers, faults } = await feedThroughBadNetwork({
      seconds: SECONDS,
      seed: SEED,
      rate: 500,
    });
    report(`${published} published; ${JSON.stringify(readers)}; faults ${JSON.stringify(faults)}`);
    expect(published).toBeGreaterThan(SECONDS * 400);
  });

  it('every reader of the ticker is told what it missed', { timeout: LIMIT_MS }, async () => {
    const faults = ['throttle', 'throttle', 'throttle', 'reset', 'stall'] as const;
    const { published, readers } = await tickerThroughSlowLine({
      seconds: SECONDS / 3,
      seed: SEED,
      rate: 400,
      faults,
    });
    report(`${published} ticks; ${JSON.stringify(readers)}`);
    for (const { name, seen, told } of readers) expect(seen + told, name).toBe(published);
  });
});
