// The list of scenarios. Knows nothing of what they do.

import { busKilled } from './scenarios/bus-killed.js';
import { cutReplies } from './scenarios/cut-replies.js';
import { instanceKill } from './scenarios/instance-kill.js';
import { logLost } from './scenarios/log-lost.js';
import { metrics } from './scenarios/metrics.js';
import { presence } from './scenarios/presence.js';
import { redisAway } from './scenarios/redis-away.js';
import { redisStall } from './scenarios/redis-stall.js';
import { resumeElsewhere } from './scenarios/resume-elsewhere.js';
import { storm } from './scenarios/storm.js';
import type { Scenario } from './stage.js';

export const SCENARIOS: readonly Scenario[] = [
  instanceKill,
  redisStall,
  cutReplies,
  resumeElsewhere,
  busKilled,
  logLost,
  storm,
  presence,
  redisAway,
  metrics,
];
