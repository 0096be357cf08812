// The real server with short times of SSE and polling, for tests that would otherwise wait for minutes. Knows no test.

import type { Config } from '../../src/config/config.js';
import { rulesFile, startPatched, type E2eServer } from './e2e-server.js';
import { TEST_API_KEY } from './server.js';
import { disposeStreams } from './sse-client.js';

export interface StreamServerOptions {
  readonly rules?: readonly object[];
  readonly sse?: Partial<Config['sse']>;
  readonly polling?: Partial<Config['polling']>;
  readonly core?: Partial<Config['core']>;
  readonly env?: Record<string, string>;
}

export interface StreamServer extends Pick<E2eServer, 'wsUrl' | 'core' | 'realtime' | 'token' | 'close'> {
  readonly url: string;
  readonly port: number;
}

export async function startStreams(options: StreamServerOptions = {}): Promise<StreamServer> {
  const file = rulesFile(options.rules ?? [{ channel: 'room:{name}', history: { size: 500, ttl: '1m' } }]);
  const patch = (config: Config): Config => ({
    ...config,
    sse: { ...config.sse, ...options.sse },
    polling: { ...config.polling, ...options.polling },
    core: { ...config.core, ...options.core },
  });
  const server = await startPatched(patch, {
    TRUNKLINE_API_KEYS: TEST_API_KEY,
    TRUNKLINE_CHANNELS_FILE: file.path,
    ...options.env,
  });
  const port = Number(new URL(server.wsUrl).port);
  return {
    ...server,
    port,
    url: `http://127.0.0.1:${port}`,
    close: async () => {
      disposeStreams();
      await server.close();
      file.remove();
    },
  };
}
