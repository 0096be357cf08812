// `npm run cluster` as a person runs it: three instances act as one, one may be killed, and one signal ends everything.

import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, readFileSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { answers } from '../support/proxies.js';
import { connect, disposeClients, type WsClient } from '../support/ws-client.js';
import { until } from '../support/wait.js';

// Five programs start, and one of them a second time.
vi.setConfig({ testTimeout: 90_000 });

let child: ChildProcess | undefined;
afterEach(async () => {
  disposeClients();
  if (child === undefined || child.exitCode !== null) return;
  child.kill('SIGTERM');
  await once(child, 'close');
});

interface Cluster {
  readonly child: ChildProcess;
  output: string;
}

function run(env: Readonly<Record<string, string>>): Cluster {
  const started = spawn(process.execPath, ['scripts/cluster.mjs'], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: {
      PATH: process.env['PATH'],
      PORT: '0',
      CLUSTER_PORTS: '0,0,0',
      NODE_ENV: 'development',
      TRUNKLINE_LOG_LEVEL: 'warn',
      ...env,
    },
  });
  child = started;
  const cluster = { child: started, output: '' };
  for (const stream of [started.stdout, started.stderr])
    stream.on('data', (chunk: Buffer) => (cluster.output += chunk.toString('utf8')));
  return cluster;
}

const port = (output: string, pattern: RegExp): number => Number(pattern.exec(output)?.[1]);
const pidOf = (output: string, name: string): number =>
  port(output, new RegExp(`instance ${name} .*\\(process (\\d+)\\)`));

/** Processes whose parent this is, as Linux tells it. */
function childrenOf(pid: number | undefined): readonly number[] {
  return readdirSync('/proc')
    .filter((entry) => /^\d+$/.test(entry))
    .map(Number)
    .filter((one) => {
      try {
        return new RegExp(`^${one} \\(.*\\) \\S ${String(pid)} `).test(
          readFileSync(`/proc/${one}/stat`, 'utf8'),
        );
      } catch {
        return false;
      }
    });
}

function isThere(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

async function join(base: number, user: string): Promise<{ client: WsClient; instance: unknown }> {
  const answer = await fetch(`http://127.0.0.1:${base}/api/dev/tokens`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ user }),
  });
  const { token } = (await answer.json()) as { token: string };
  const client = await connect(`ws://127.0.0.1:${base}/ws`, { token });
  return { client, instance: (await client.next('welcome')).data['instance'] };
}

const say = (text: string): object => ({ channel: 'chat:lobby', event: 'message', data: { text } });

describe('npm run cluster', () => {
  it('serves, carries a message from one instance to another, outlives a kill, and ends whole', async () => {
    const cluster = run({});
    await until(
      () => {
        if (cluster.child.exitCode !== null) throw new Error(cluster.output);
        return cluster.output.includes('Ctrl-C ends everything');
      },
      'the cluster',
      60_000,
    );
    const { output } = cluster;
    const entry = port(output, /page +http:\/\/localhost:(\d+)\//);
    const figures = port(output, /figures +http:\/\/localhost:(\d+)\//);
    const [a = 0, b = 0] = ['a', 'b'].map((name) =>
      port(output, new RegExp(`instance ${name} +http://localhost:(\\d+)/`)),
    );
    expect(await (await fetch(`http://127.0.0.1:${entry}/`)).text()).toContain('<!doctype html>');
    expect((await fetch(`http://127.0.0.1:${figures}/`)).status).toBe(200);

    const [onA, onB] = [await join(a, 'ana'), await join(b, 'ben')];
    expect([onA.instance, onB.instance]).toEqual(['a', 'b']);
    await onB.client.subscribe('chat:lobby');
    await onA.client.ok('publish', say('from a'));
    expect((await onB.client.next('message')).data.data).toMatchObject({ text: 'from a' });

    process.kill(pidOf(output, 'a'), 'SIGKILL');
    await onA.client.closed;
    for (let n = 0; n < 4; n++) {
      const { client, instance } = await join(entry, `late-${n}`);
      expect(instance).not.toBe('a');
      await client.ok('publish', say(`late ${n}`));
      expect((await onB.client.next('message')).data.data).toMatchObject({ text: `late ${n}` });
    }
    await until(() => cluster.output.includes('ended (SIGKILL); it starts again'), 'the word of it');
    await until(
      async () => (await answers(a)) && (await join(a, 'again')).instance === 'a',
      'it to be back',
      30_000,
    );

    const pids = childrenOf(cluster.child.pid);
    expect(pids.length, 'three instances, Redis, HAProxy').toBe(5);
    disposeClients();
    cluster.child.kill('SIGTERM');
    expect(await once(cluster.child, 'close')).toEqual([0, null]);
    expect(pids.filter(isThere)).toEqual([]);
    expect(await Promise.all([entry, figures, a, b].map(answers))).toEqual([false, false, false, false]);
  });

  it.each([
    [{ CLUSTER_PORTS: '1,2' }, 'CLUSTER_PORTS is "1,2"; it must be 3 ports with commas between.'],
    [{ PORT: 'abc' }, 'PORT is "abc"; it must be a port.'],
    [{ REDIS_URL: 'nowhere' }, 'REDIS_URL'],
  ])('says what is wrong with %j, and ends', async (env, words) => {
    const cluster = run(env);
    expect(await once(cluster.child, 'close')).toEqual([1, null]);
    expect(cluster.output).toContain(words);
    expect(cluster.output).not.toMatch(/^ +at /m);
  });

  it('says which variable to set when a port is taken', async () => {
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { port: taken } = server.address() as AddressInfo;
    const cluster = run({ PORT: String(taken) });
    expect(await once(cluster.child, 'close')).toEqual([1, null]);
    expect(cluster.output).toContain(`Port ${taken} cannot be had. Choose another with PORT`);
    server.close();
  });
});
