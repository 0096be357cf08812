// A reader in another language with no library at all: Python's http.client reads the stream, drops it, and comes back with its last id.

import { spawn, type ChildProcessWithoutNullStreams } from 'node:child_process';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest';
import { startE2e, type E2eServer } from '../support/e2e-server.js';
import type { ReadyChannel } from '../support/sse-client.js';
import { pythonPath } from '../support/system.js';
import { until } from '../support/wait.js';

const SCRIPT = fileURLToPath(new URL('../fixtures/python/sse.py', import.meta.url));
const CHANNEL = 'room:python';

let server: E2eServer;
let child: ChildProcessWithoutNullStreams | undefined;
beforeAll(async () => {
  server = await startE2e({ rules: [{ channel: 'room:{name}', history: { size: 50, ttl: '1m' } }] });
});
afterEach(() => void child?.kill('SIGKILL'));
afterAll(() => server.close());

interface Told {
  readonly data: unknown;
  readonly channels: readonly ReadyChannel[];
  readonly code: number;
}

it('reads live, drops, resumes with exactly the missed, and hears the end', async () => {
  child = spawn(pythonPath(), [SCRIPT, String(server.port), server.token('python'), CHANNEL], {
    env: { PYTHONUTF8: '1' },
  });
  const { stdin, stdout, stderr } = child;
  let errors = '';
  stderr.on('data', (chunk: Buffer) => (errors += chunk.toString()));
  const lines = createInterface({ input: stdout })[Symbol.asyncIterator]();
  const next = async (what: string): Promise<Told> => {
    const line = await lines.next();
    if (line.done === true) throw new Error(`The script ended before "${what}".\n${errors}`);
    const told = JSON.parse(line.value) as { what: string; data: Told };
    expect(told.what, line.value).toBe(what);
    return told.data;
  };

  expect((await next('ready')).channels).toMatchObject([{ channel: CHANNEL, offset: 0 }]);
  const text = 'grüße\r\nfrom Node 🐍 \u2028';
  await server.realtime.publish(CHANNEL, 'tick', { text });
  expect((await next('live')).data).toEqual({ text });
  await next('dropped');
  await until(() => server.realtime.sessions('python').length === 0, 'the lost stream to end');

  for (const n of [1, 2, 3]) await server.realtime.publish(CHANNEL, 'tick', `missed\n${n}`);
  stdin.write('go\n');
  expect((await next('resumed')).channels).toMatchObject([{ recovered: true, replayed: 3 }]);
  for (const n of [1, 2, 3]) expect((await next('missed')).data).toBe(`missed\n${n}`);
  await server.realtime.disconnect('python');
  expect((await next('close')).code).toBe(4003);
  expect(await next('ended')).toBe('end');
});
