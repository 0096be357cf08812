// A client of another language, with the `websockets` library of Debian: joins, publishes, drops, resumes exactly what it missed.

import { spawn, type ChildProcessWithoutNullStreams } from 'node:child_process';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { startE2e, type E2eServer } from '../support/e2e-server.js';
import { pythonPath } from '../support/system.js';
import { until } from '../support/wait.js';
import type { FrameData } from '../support/ws-client.js';

const SCRIPT = fileURLToPath(new URL('../fixtures/python/resume.py', import.meta.url));

let server: E2eServer;
let child: ChildProcessWithoutNullStreams | undefined;
beforeAll(async () => {
  server = await startE2e();
});
afterEach(() => void child?.kill('SIGKILL'));
afterAll(() => server.close());

/** The script's lines, one by one. Its error output becomes the error when it ends early. */
class Script {
  private readonly lines: AsyncIterator<string>;
  private errors = '';

  constructor(private readonly process: ChildProcessWithoutNullStreams) {
    this.lines = createInterface({ input: process.stdout })[Symbol.asyncIterator]();
    process.stderr.on('data', (chunk: Buffer) => (this.errors += chunk.toString()));
  }

  async next(what: string): Promise<FrameData> {
    const line = await this.lines.next();
    if (line.done === true) throw new Error(`The script ended before "${what}".\n${this.errors}`);
    const told = JSON.parse(line.value) as { what: string; data: FrameData };
    expect(told.what, JSON.stringify(told)).toBe(what);
    return told.data;
  }

  go(): void {
    this.process.stdin.write('go\n');
  }
}

function startScript(login: 'subprotocol' | 'frame', channel: string): Script {
  const token = server.token('python', { name: 'Py' });
  child = spawn(pythonPath(), [SCRIPT, server.wsUrl, token, login, channel], { env: { PYTHONUTF8: '1' } });
  return new Script(child);
}

describe.each(['subprotocol', 'frame'] as const)('a Python client with its token in a %s', (login) => {
  it('chats, loses its socket, and resumes with exactly what it missed', async () => {
    const channel = `chat:python-${login}`;
    const ana = await server.join('ana', { claims: { name: 'Ana' } });
    await ana.subscribe(channel, { presence: true });
    const script = startScript(login, channel);

    const welcome = await script.next('welcome');
    if (login === 'subprotocol') expect(welcome['user']).toBe('python');
    else expect((await script.next('login'))['user']).toBe('python');
    expect((await script.next('subscribed')).members.map(({ user }) => user).sort()).toEqual([
      'ana',
      'python',
    ]);
    await ana.next('join', ({ data }) => data.member.user === 'python');

    const text = 'grüße aus Python 🐍';
    const place = await script.next('published');
    expect(await script.next('received')).toMatchObject({ offset: place.offset, data: { text, name: 'Py' } });
    expect((await ana.next('message')).data.data).toEqual({ text, name: 'Py' });

    await script.next('dropped');
    await until(() => server.realtime.sessions('python').length === 0, 'the lost session to end');
    const missed: number[] = [];
    for (let n = 1; n <= 5; n++) {
      const data = { text: `missed ${n}` };
      const { offset } = await ana.ok('publish', { channel, event: 'message', data });
      missed.push(offset);
    }
    script.go();
    await script.next('welcome');
    if (login === 'frame') await script.next('login');
    const resumed = await script.next('resumed');
    expect(resumed['recovered']).toBe(true);
    expect(resumed.messages.map(({ offset }) => offset)).toEqual(missed);
    expect(resumed.messages.map(({ data }) => (data as { text: string }).text)).toEqual(
      missed.map((_, i) => `missed ${i + 1}`),
    );
    expect(await script.next('again')).toMatchObject({ recovered: true, messages: [] });

    await ana.ok('publish', { channel, event: 'message', data: { text: 'live' } });
    script.go();
    expect(await script.next('live')).toMatchObject({ data: { text: 'live', name: 'Ana' } });
    await script.next('closed');
    await until(() => server.realtime.sessions('python').length === 0, 'the session to end');
  });
});
