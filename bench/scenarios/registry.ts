// The list of scenarios, in the order in which a run without a name takes them.
import { BenchError } from '../lib/bench-error.js';
import { cluster } from './cluster.js';
import { connect } from './connect.js';
import { fanout } from './fanout.js';
import { idle } from './idle.js';
import { scale } from './scale.js';
import type { Scenario } from './scenario.js';
import { sse } from './sse.js';

export const scenarios: readonly Scenario[] = [fanout, sse, cluster, idle, scale, connect];

export function scenarioNamed(name: string): Scenario {
  const found = scenarios.find((scenario) => scenario.name === name);
  if (found) return found;
  throw new BenchError(`no scenario "${name}"; there are: ${scenarios.map((each) => each.name).join(', ')}`);
}
