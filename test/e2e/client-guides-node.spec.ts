// The guide of the client for backends works when pasted: its consumer as a process, killed and started again, over both transports.

import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { block, packClient, Program, put, ReaderFolder } from '../support/guide.js';
import { startServer, type TestServer } from '../support/server.js';
import { until } from '../support/wait.js';

const run = promisify(execFile);
const GUIDE = 'docs/guides/client-node.md';
const PREPARE_MS = 120_000;
const LIMIT_MS = 60_000;

let folder: ReaderFolder;
let server: TestServer;

beforeAll(async () => {
  folder = ReaderFolder.make();
  await folder.install(block(GUIDE, 'sh', 'mkdir consumer'), await packClient(folder.path));
  folder.write('consumer.mjs', block(GUIDE, 'js consumer.mjs'));
  const [, key = ''] = /API_KEYS=(\S+)/.exec(block(GUIDE, 'sh', 'API_KEYS=')) ?? [];
  server = await startServer({ TRUNKLINE_API_KEYS: key });
}, PREPARE_MS);

afterAll(async () => {
  await server.close();
  folder.remove();
});

/** Starts it by the guide's own line, such as `TRANSPORT=sse node consumer.mjs`. */
function start(line: string): Program {
  const [, transport, file = ''] = /^(?:TRANSPORT=(\S+) )?node (\S+)$/.exec(line.trim()) ?? [];
  const env = { SERVER: server.url, ...(transport === undefined ? {} : { TRANSPORT: transport }) };
  return new Program([process.execPath, file], folder.path, env);
}

async function sayByCurl(text: string): Promise<void> {
  const line = put(block(GUIDE, 'sh', 'curl '), 'http://localhost:3000', server.url);
  await run('bash', ['-ec', put(line, 'for the consumer', text)]);
}

/** The lines about messages, in order. */
const heard = ({ output }: Program): string[] =>
  [...output.matchAll(/^\d+ message .*$/gm)].map(([line]) => line);

const saved = (): unknown =>
  (JSON.parse(readFileSync(join(folder.path, 'position.json'), 'utf8')) as { offset?: unknown }).offset;

describe(GUIDE, { timeout: LIMIT_MS }, () => {
  it('a consumer that is killed prints exactly what it missed, on another transport', async () => {
    const first = start(block(GUIDE, 'sh', /^node consumer/));
    await first.prints(/connected by websocket/);
    await first.prints(/listening from 0/);
    await sayByCurl('for the consumer');
    await first.prints(/^1 message \{"text":"for the consumer"\}$/m);
    // It saves after it has printed: killed between the two, it would rightly print this one again.
    await until(() => saved() === 1, 'the position to be saved');
    await first.kill('SIGKILL');
    await sayByCurl('missed');
    await sayByCurl('missed too');

    const second = start(block(GUIDE, 'sh', 'TRANSPORT=sse'));
    await second.prints(/connected by sse/);
    await second.prints(/gone on, the channel is at 3/);
    await second.prints(/^3 message /m);
    expect(heard(second)).toEqual(['2 message {"text":"missed"}', '3 message {"text":"missed too"}']);
    await sayByCurl('live');
    await second.prints(/^4 message \{"text":"live"\}$/m);
    expect(await second.kill('SIGTERM')).toBe(0);
  });

  it('ends with 1 when the server says not to come back', async () => {
    const consumer = start('TRANSPORT=sse node consumer.mjs');
    await consumer.prints(/gone on/);
    for (const session of [...server.core.hub.all()]) session.close({ code: 4003, reason: 'revoked' });
    expect(await consumer.ended).toBe(1);
    expect(consumer.output).toMatch(/closed: /);
  });
});
