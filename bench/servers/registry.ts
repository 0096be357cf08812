// The list of servers that can be measured, by name.
import { BenchError } from '../lib/bench-error.js';
import { nestSse, socketIo, socketIoPair, wsBare, wsLoop } from './peers.js';
import type { BenchServer } from './server.js';
import { trunkline, trunklineLog, trunklinePair, trunklineSse } from './trunkline.js';

export const servers: readonly BenchServer[] = [
  trunkline,
  trunklineLog,
  trunklineSse,
  trunklinePair,
  wsLoop,
  wsBare,
  socketIo,
  socketIoPair,
  nestSse,
];

export function serverNamed(name: string): BenchServer {
  const found = servers.find((server) => server.name === name);
  if (found) return found;
  throw new BenchError(`no server "${name}"; there are: ${servers.map((server) => server.name).join(', ')}`);
}
