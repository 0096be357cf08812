// Tells the log which limits are over, a line a minute for each, so that a flood of refusals is no flood of lines. Knows no limit.

import type { CoreLogger } from '../core/ports/application.js';
import type { LimitListener } from '../core/ports/limits.js';
import { Seldom } from '../core/ports/seldom.js';
import type { Clock } from '../core/ports/time.js';

const QUIET_MS = 60_000;

/** `who` of a line is the last one; `times` is how often since the line before. */
export function hitLog(clock: Clock, logger: CoreLogger): LimitListener {
  const seldom = new Seldom(QUIET_MS);
  return (limit, who, spared) => {
    const untold = seldom.due(limit, clock.now());
    if (untold === undefined) return;
    const fields = { limit, who, times: untold + 1, dryRun: spared };
    logger.warn(spared ? 'A limit would have refused.' : 'A limit refuses.', fields);
  };
}
