// Trunkline itself as a server under test: the built program, with every limit lifted that a load client would meet.
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { benchDir, projectDir } from '../lib/paths.js';
import { streamDialect, trunklineDialect } from './frames.js';
import type { BenchServer, LaunchContext } from './server.js';

const program = join(projectDir, 'dist', 'main.js');
const rulesFile = join(benchDir, 'servers', 'trunkline.rules.json');

/** Zero lifts a limit. One user on one address holds all sockets, and one of them publishes all messages. */
const NO_LIMITS = {
  TRUNKLINE_MESSAGE_RATE: '0',
  TRUNKLINE_CONNECT_RATE: '0',
  TRUNKLINE_API_RATE: '0',
  TRUNKLINE_MAX_SESSIONS: '0',
  TRUNKLINE_MAX_SESSIONS_PER_USER: '0',
};

/** Longer than any run: the load client answers no pings, as with every server here. */
const NEVER_MS = '3600000';

function trunklineOn(name: string, about: string, dialect: BenchServer['dialect']): BenchServer {
  return {
    name,
    about,
    readyPath: '/health/live',
    unavailable: () => (existsSync(program) ? undefined : 'not built: run npm run build'),
    launch: ({ port, secret, redisUrl }: LaunchContext) => ({
      args: [program],
      env: {
        ...NO_LIMITS,
        NODE_ENV: 'production',
        PORT: String(port),
        HOST: '127.0.0.1',
        TRUNKLINE_JWT_SECRET: secret,
        TRUNKLINE_ALLOWED_ORIGINS: `http://127.0.0.1:${port}`,
        TRUNKLINE_CHANNELS_FILE: rulesFile,
        TRUNKLINE_HEARTBEAT_MS: NEVER_MS,
        TRUNKLINE_LOG_LEVEL: 'error',
        ...(redisUrl === undefined ? {} : { TRUNKLINE_BACKPLANE: 'redis', REDIS_URL: redisUrl }),
      },
    }),
    dialect,
  };
}

const STREAMS = { path: '/sse?channel=bench:a', beside: '/ws', ready: 'event: ready' };

export const trunkline = trunklineOn('trunkline', 'this project, a channel without history', (token) =>
  trunklineDialect('/ws', 'bench:a', token),
);

export const trunklineLog = trunklineOn(
  'trunkline-log',
  'this project, a channel that keeps 1,000 messages for an hour',
  (token) => trunklineDialect('/ws', 'benchlog:a', token),
);

export const trunklineSse = trunklineOn(
  'trunkline-sse',
  'this project, the channel of `trunkline` heard by event streams',
  (token) => streamDialect(STREAMS, 'bench:a', token),
);

/** The publisher subscribes to nothing, as with every pair. */
export const trunklinePair: BenchServer = {
  ...trunklineOn('trunkline-redis', 'two of this project over one Redis, a channel with history', (token) =>
    trunklineDialect('/ws', 'benchlog:a', token),
  ),
  pair: true,
};
