// The real server with one family of channels per rule that the REST room must keep. Knows no test.

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { BootOptions } from '../../src/bootstrap.js';
import { ApiClient } from './api-client.js';
import { startServer, TEST_API_KEY, type TestServer } from './server.js';

const history = { size: 400, ttl: '1h' };

const RULES = [
  { channel: 'open:{name}', subscribe: 'anyone', publish: 'anyone', presence: true, history },
  { channel: 'room:{name}', presence: true, history },
  { channel: 'granted:{name}', subscribe: 'capability', publish: 'capability', presence: true, history },
  { channel: 'news:{name}', publish: 'backend', history },
  { channel: 'ticks:{name}', events: ['tick'], maxBytes: 64 },
  { channel: 'chat/lobby', history },
  { channel: '__proto__', history },
];

export interface ApiServer {
  readonly server: TestServer;
  readonly backend: ApiClient;
  readonly stranger: ApiClient;
  user(name: string, claims?: Record<string, unknown>): ApiClient;
  close(): Promise<void>;
}

/** Without rate limits, unless `env` sets them. */
export async function startApi(env: Record<string, string> = {}, options?: BootOptions): Promise<ApiServer> {
  const folder = mkdtempSync(join(tmpdir(), 'trunkline-api-'));
  const file = join(folder, 'channels.json');
  writeFileSync(file, JSON.stringify(RULES));
  const server = await startServer(
    { TRUNKLINE_CHANNELS_FILE: file, TRUNKLINE_MESSAGE_RATE: '0', TRUNKLINE_HTTP_RATE: '0', ...env },
    options,
  );
  rmSync(folder, { recursive: true });
  const backend = new ApiClient(server.url, TEST_API_KEY);
  return {
    server,
    backend,
    stranger: backend.as(undefined),
    user: (name, claims) => backend.as(server.token(name, claims)),
    close: () => server.close(),
  };
}
