// The example of a long job on a real server: its progress by SSE, who may see it, late comers and returns, cancel, the end of the server.

import { spawn, type ChildProcess } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { afterAll, afterEach, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { JobError, type Report, type Work } from '../../examples/progress-updates/job.js';
import { JobsModule } from '../../examples/progress-updates/jobs.module.js';
import { JobsService, MAX_RUNNING } from '../../examples/progress-updates/jobs.service.js';
import { launchBrowser, openPage } from '../support/browser.js';
import { startE2e, type E2eServer } from '../support/e2e-server.js';
import { disposeStreams, openSse, sseRefused, type SseClient } from '../support/sse-client.js';
import { until } from '../support/wait.js';
import { disposeClients } from '../support/ws-client.js';

const README = readFileSync('examples/progress-updates/README.md', 'utf8');
const LIMIT_MS = 30_000;

let server: E2eServer;
let jobs: JobsService;
let users = 0;
beforeAll(async () => {
  server = await startE2e({ boot: { modules: [JobsModule.forRoot({ partMs: 2 })] } });
  jobs = server.app.get(JobsService, { strict: false });
});
afterEach(() => {
  disposeClients();
  disposeStreams();
});
afterAll(() => server.close());

/** A user of this test alone: jobs are counted by user. */
const somebody = (): string => `ana-${++users}`;

interface Accepted {
  readonly job: string;
  readonly channel: string;
  readonly stream: string;
}

function call(method: string, path: string, user?: string, body?: unknown): Promise<Response> {
  return fetch(`${server.url}${path}`, {
    method,
    headers: {
      ...(user === undefined ? {} : { authorization: `Bearer ${server.token(user)}` }),
      ...(body === undefined ? {} : { 'content-type': 'application/json' }),
    },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
}

async function start(user: string, body?: unknown): Promise<Accepted> {
  const response = await call('POST', '/jobs', user, body);
  expect(response.status).toBe(202);
  return (await response.json()) as Accepted;
}

/** A job whose steps the test gives, one at a time. */
class Steps {
  report: Report = () => Promise.reject(new Error('The job has not begun.'));
  end: (result: unknown) => void = () => {};
  fail: (error: unknown) => void = () => {};

  readonly work: Work = (report, signal) =>
    new Promise((resolve, reject) => {
      this.report = report;
      this.end = resolve;
      this.fail = reject;
      signal.addEventListener('abort', () => reject(signal.reason as Error));
    });
}

function startSteps(user: string): { steps: Steps; job: string; channel: string } {
  const steps = new Steps();
  const job = jobs.start(user, steps.work);
  return { steps, job, channel: `jobs:${job}` };
}

const listen = (user: string, channel: string, lastEventId?: string): Promise<SseClient> =>
  openSse(server.url, [channel], { token: server.token(user), lastEventId });

/** The next `count` publications, as event and payload. */
async function take(stream: SseClient, count: number): Promise<[string, unknown][]> {
  const taken: [string, unknown][] = [];
  for (let n = 0; n < count; n++) {
    const { data } = await stream.next('message');
    taken.push([data.event, data.data]);
  }
  return taken;
}

describe('a job', () => {
  it('is accepted at once, and its stream tells every step up to the result', async () => {
    const user = somebody();
    const accepted = await start(user, { rows: 1000 });
    expect(accepted).toEqual({
      job: expect.stringMatching(/^[0-9a-f-]{36}$/) as unknown,
      channel: `jobs:${accepted.job}`,
      stream: `/sse?channel=jobs:${accepted.job}`,
    });
    const stream = await listen(user, accepted.channel);
    const { data } = await stream.next('message', (one) => one.data.event === 'done');
    expect(data.data).toEqual({ result: { rows: 1000, file: '/exports/1000.csv' } });
    const { messages } = await server.realtime.history(accepted.channel);
    expect(messages.map(({ event, data: text }) => [event, JSON.parse(text) as unknown])).toEqual([
      ['progress', { done: 0, total: 1000, note: 'begins' }],
      ...Array.from({ length: 10 }, (_, part) => ['progress', { done: (part + 1) * 100, total: 1000 }]),
      ['done', { result: { rows: 1000, file: '/exports/1000.csv' } }],
    ]);
  });

  it('shows who comes late where it stands, and later how it ended', async () => {
    const user = somebody();
    const { steps, channel } = startSteps(user);
    for (let done = 1; done <= 3; done++) await steps.report(done, 5);
    const late = await listen(user, channel);
    expect(await take(late, 1)).toEqual([['progress', { done: 3, total: 5 }]]);
    await steps.report(4, 5, 'almost');
    expect(await take(late, 1)).toEqual([['progress', { done: 4, total: 5, note: 'almost' }]]);
    steps.end('ready');
    expect(await take(late, 1)).toEqual([['done', { result: 'ready' }]]);
    expect(await take(await listen(user, channel), 1)).toEqual([['done', { result: 'ready' }]]);
  });

  it('tells who comes back each step that was missed, once', async () => {
    const user = somebody();
    const { steps, channel } = startSteps(user);
    const first = await listen(user, channel);
    await steps.report(1, 5);
    expect(await take(first, 1)).toEqual([['progress', { done: 1, total: 5 }]]);
    first.destroy();
    for (let done = 2; done <= 4; done++) await steps.report(done, 5);
    const second = await listen(user, channel, first.lastEventId);
    steps.end(null);
    expect(await take(second, 4)).toEqual([
      ['progress', { done: 2, total: 5 }],
      ['progress', { done: 3, total: 5 }],
      ['progress', { done: 4, total: 5 }],
      ['done', { result: null }],
    ]);
    const [channelState] = (await second.ready()).channels;
    expect(channelState).toMatchObject({ recovered: true, replayed: expect.any(Number) as unknown });
  });

  it('tells several listeners the same, whatever their transport', async () => {
    const user = somebody();
    const { steps, channel } = startSteps(user);
    const streams = [await listen(user, channel), await listen(user, channel)];
    const socket = await server.join(user);
    await socket.subscribe(channel);
    await steps.report(1, 2);
    for (const stream of streams)
      expect(await take(stream, 1)).toEqual([['progress', { done: 1, total: 2 }]]);
    expect((await socket.next('message')).data.data).toEqual({ done: 1, total: 2 });
    steps.end(1);
  });

  it('says why it failed when that was meant for the user, and nothing of other faults', async () => {
    const user = somebody();
    for (const [error, reason] of [
      [new JobError('The file has no rows.'), 'The file has no rows.'],
      [new Error('connect ECONNREFUSED 10.0.0.7:5432'), 'the job failed'],
    ] as const) {
      const { steps, channel } = startSteps(user);
      const stream = await listen(user, channel);
      steps.fail(error);
      expect(await take(stream, 1)).toEqual([['failed', { reason }]]);
    }
  });
});

describe('only its owner', () => {
  it('may listen, by any way', async () => {
    const { steps, channel } = startSteps(somebody());
    await steps.report(1, 2);
    const other = somebody();
    const refused = await sseRefused(server.url, [channel], { token: server.token(other) });
    expect([refused.status, refused.problem['code']]).toEqual([403, 'forbidden']);
    expect((await sseRefused(server.url, [channel])).status).toBe(401);
    const socket = await server.join(other);
    for (const event of ['subscribe', 'history'])
      expect(await socket.refusal(event, { channel })).toBe('forbidden');
    expect(await socket.refusal('subscribe', { channel: 'jobs:of-nobody' })).toBe('forbidden');
    steps.end(1);
  });

  it('may not speak in its place', async () => {
    const user = somebody();
    const { steps, channel } = startSteps(user);
    const socket = await server.join(user);
    const data = { result: 'forged' };
    expect(await socket.refusal('publish', { channel, event: 'done', data })).toBe('forbidden');
    steps.end(1);
  });

  it('may cancel it, and a job that has ended stays as it is', async () => {
    const user = somebody();
    const { job, channel } = startSteps(user);
    const stream = await listen(user, channel);
    expect((await call('DELETE', `/jobs/${job}`, somebody())).status).toBe(404);
    expect((await call('DELETE', `/jobs/${job}`)).status).toBe(401);
    expect((await call('DELETE', '/jobs/of-nobody', user)).status).toBe(404);
    expect((await call('DELETE', `/jobs/${job}`, user)).status).toBe(202);
    expect(await take(stream, 1)).toEqual([['failed', { reason: 'cancelled' }]]);
    expect((await call('DELETE', `/jobs/${job}`, user)).status).toBe(202);
    expect((await server.realtime.history(channel)).messages).toHaveLength(1);
  });
});

describe('starting jobs', () => {
  it('needs a user', async () => {
    expect((await call('POST', '/jobs', undefined, {})).status).toBe(401);
    const byKey = await fetch(`${server.url}/jobs`, {
      method: 'POST',
      headers: { authorization: 'Bearer test-api-key-0123456789' },
    });
    expect(byKey.status).toBe(401);
  });

  it.each([[{ rows: 0 }], [{ rows: 1.5 }], [{ rows: '7' }], [{ rows: 1_000_001 }], [{ rows: [5] }]])(
    'refuses %j',
    async (body) => {
      const response = await call('POST', '/jobs', somebody(), body);
      expect([response.status, ((await response.json()) as { code: string }).code]).toEqual([
        400,
        'invalid_data',
      ]);
    },
  );

  it('takes a body or none', async () => {
    const user = somebody();
    for (const body of [undefined, {}, { rows: 1 }]) {
      const { channel } = await start(user, body);
      await (await listen(user, channel)).next('message', (one) => one.data.event === 'done');
    }
  });

  it('is bounded for each user, and free again when one has ended', async () => {
    const user = somebody();
    const own = Array.from({ length: MAX_RUNNING }, () => startSteps(user));
    const refused = await call('POST', '/jobs', user, {});
    expect([refused.status, ((await refused.json()) as { code: string }).code]).toEqual([
      429,
      'limit_exceeded',
    ]);
    await start(somebody());
    const [first] = own;
    const stream = await listen(user, first?.channel ?? '');
    first?.steps.end(1);
    await take(stream, 1);
    await start(user);
    for (const { steps } of own) steps.end(1);
  });
});

it('jobs that run when the server stops are ended, and the stop does not wait for those that do not listen', async () => {
  const other = await startE2e({ boot: { modules: [JobsModule.forRoot({ partMs: 2 })] } });
  onTestFinished(() => other.close());
  const service = other.app.get(JobsService, { strict: false });
  let stopped: unknown;
  service.start('ana', (_report, signal) => {
    signal.addEventListener('abort', () => void (stopped = signal.reason));
    return new Promise<never>(() => {});
  });
  await other.close();
  expect(stopped).toEqual(new JobError('the server stops'));
});

describe('the README', { timeout: 2 * LIMIT_MS }, () => {
  /** The one block in `language` that contains `mark`, for `port`. */
  function snippet(language: string, mark: string, port: number): string {
    const blocks = [...README.matchAll(/```(\w+)\n([\s\S]*?)```/g)].filter(
      ([, name, text]) => name === language && text?.includes(mark),
    );
    expect(blocks, `one ${language} block with ${mark}`).toHaveLength(1);
    return (blocks[0]?.[2] ?? '').replaceAll('localhost:3000', `127.0.0.1:${port}`);
  }

  /** Everything it prints, as it comes. Ends with the test, together with what it started. */
  function run(command: string, args: readonly string[], env: Record<string, string> = {}): { text: string } {
    const printed = { text: '' };
    const child: ChildProcess = spawn(command, args, {
      detached: true,
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { PATH: process.env['PATH'], ...env },
    });
    for (const stream of [child.stdout, child.stderr])
      stream?.on('data', (chunk: Buffer) => (printed.text += chunk.toString('utf8')));
    const exited = new Promise((resolve) => child.once('exit', resolve));
    onTestFinished(async () => {
      if (child.exitCode === null && child.signalCode === null && child.pid !== undefined)
        process.kill(-child.pid, 'SIGTERM');
      await exited;
    });
    return printed;
  }

  it('curl shows the progress of a job', async () => {
    // Slow enough that curl is there before the end.
    const slow = await startE2e({ boot: { modules: [JobsModule.forRoot({ partMs: 300 })] } });
    onTestFinished(() => slow.close());
    const printed = run('bash', ['-ec', snippet('sh', 'curl -N', slow.port)]);
    await until(() => printed.text.includes('"event":"done"'), 'the end of the job', LIMIT_MS);
    expect(printed.text).toContain('event: ready');
    expect(printed.text).toContain('"total":1000');
  });

  it('EventSource in a page shows the progress of a job', async () => {
    const browser = await launchBrowser();
    try {
      const { page } = await openPage(browser, server.url);
      const seen: string[] = [];
      page.on('console', (message) => seen.push(message.text()));
      await page.evaluate(`(async () => { ${snippet('js', 'new EventSource', server.port)} })()`);
      const last = 'done {"result":{"rows":5000,"file":"/exports/5000.csv"}}';
      await until(() => seen.includes(last), 'the end of the job', LIMIT_MS);
    } finally {
      await browser.close();
    }
  });

  it('names a command that runs the example', async () => {
    const [, command = ''] = /^(node examples\/run\.mjs .+)$/m.exec(README) ?? [];
    const printed = run('bash', ['-ec', `exec ${command}`], { PORT: '0', HOST: '127.0.0.1' });
    await until(() => printed.text.includes('jobs on '), 'the server', LIMIT_MS);
    const port = Number(/jobs on http:\/\/localhost:(\d+)\/jobs/.exec(printed.text)?.[1]);
    expect((await fetch(`http://127.0.0.1:${port}/jobs`, { method: 'POST' })).status).toBe(401);
    const shown = run('bash', ['-ec', snippet('sh', 'curl -N', port)]);
    await until(() => shown.text.includes('"event":"progress"'), 'the progress of a job', LIMIT_MS);
  });
});
