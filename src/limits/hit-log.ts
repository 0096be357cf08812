// Tells the log which limits are over, a line a minute for each, so that a flood of refusals is no flood of lines. Knows no limit.

import type { CoreLogger } from '../core/ports/application.js';
import type { LimitListener, LimitName } from '../core/ports/limits.js';
import type { Clock } from '../core/ports/time.js';

const QUIET_MS = 60_000;

interface Told {
  until: number;
  since: number;
}

/** `who` of a line is the last one; `times` is how often since the line before. */
export function hitLog(clock: Clock, logger: CoreLogger): LimitListener {
  const lines = new Map<LimitName, Told>();
  return (limit, who, spared) => {
    const now = clock.now();
    const line = lines.get(limit) ?? { until: 0, since: 0 };
    lines.set(limit, line);
    line.since++;
    if (now < line.until) return;
    const fields = { limit, who, times: line.since, dryRun: spared };
    logger.warn(spared ? 'A limit would have refused.' : 'A limit refuses.', fields);
    line.until = now + QUIET_MS;
    line.since = 0;
  };
}
