// The files of deploy/ are what their programs read, the lines that are commented out too, and agree with the server they are for.

import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { parse, parseAllDocuments } from 'yaml';
import { projectDir } from '../../scripts/parts.mjs';
import { haproxyConfig, nginxConfig } from '../../scripts/proxy-config.mjs';
import { loadConfig } from '../../src/config/config.js';
import { VARIABLES } from '../../src/config/variables.js';
import { makeCertificate, nginxPath } from '../support/nginx.js';
import { haproxyPath, type Change } from '../support/proxies.js';
import { startConfiguredRedis } from '../support/redis-conf.js';
import { askRedis } from '../support/redis-server.js';

const path = (file: string): string => join(projectDir, 'deploy', file);
const read = (file: string): string => readFileSync(path(file), 'utf8');

const folder = mkdtempSync(join(tmpdir(), 'trunkline-deploy-'));
makeCertificate(folder);
const certificate = join(folder, 'cert.pem');
/** HAProxy wants certificate and key in one file. */
const pair = join(folder, 'pair.pem');
writeFileSync(pair, readFileSync(certificate, 'utf8') + readFileSync(join(folder, 'key.pem'), 'utf8'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const { core, sse, ops, server } = loadConfig({}).config;
/** Longest `wait` of a poll, in ms. */
const POLL_MS = 55_000;
const SILENCE_MS = Math.max(core.heartbeatMs, sse.heartbeatMs, POLL_MS);
const TARGETS = [3001, 3002, 3003];
const NAMES: ReadonlySet<string> = new Set(VARIABLES.map(({ name }) => name));

/** `90s`, or `90s;`, in milliseconds. */
function ms(file: string, name: string): number {
  const text = read(file).replaceAll(/^ *#.*$/gm, '');
  return Number(new RegExp(`^ *${name} +([0-9]+)s;?$`, 'm').exec(text)?.[1]) * 1000;
}

/** Throws with the program's own words when it does not take the text. */
function check(program: string, text: string, args: (file: string) => readonly string[]): string {
  const file = join(folder, 'config');
  writeFileSync(file, text);
  try {
    return execFileSync(program, args(file), { encoding: 'utf8', stdio: 'pipe' });
  } catch (error) {
    throw new Error((error as { stderr: string }).stderr, { cause: error });
  }
}

describe('haproxy.cfg', () => {
  const sticky: readonly Change[] = [
    ['#cookie TRUNKLINE', 'cookie TRUNKLINE'],
    ['server a 127.0.0.1:3001', 'server a 127.0.0.1:3001 cookie a'],
  ];
  const tls: readonly Change[] = [
    ['#bind :443 ssl crt /etc/ssl/realtime.example.com.pem', `bind 127.0.0.1:3443 ssl crt ${pair}`],
    ['#http-request redirect', 'http-request redirect'],
    ['#http-response set-header', 'http-response set-header'],
  ];
  const balanced: readonly Change[] = [['#http-request set-src', 'http-request set-src']];

  it.each<[string, readonly Change[]]>([
    ['as it stands', []],
    ['with TLS', tls],
    ['with sticky sessions', sticky],
    ['behind another balancer', balanced],
  ])('is taken by haproxy %s', (_how, changes) => {
    const text = haproxyConfig({ folder, port: 3000, figures: 3004, targets: TARGETS, changes });
    expect(check(haproxyPath(), text, (file) => ['-c', '-f', file])).toContain('is valid');
  });

  it('waits longer than the server is silent', () => {
    expect(ms('haproxy.cfg', 'timeout client')).toBeGreaterThan(SILENCE_MS);
    expect(ms('haproxy.cfg', 'timeout server')).toBeGreaterThan(SILENCE_MS);
    expect(ms('haproxy.cfg', 'timeout tunnel')).toBeGreaterThan(core.heartbeatMs * 2);
  });

  it('lets go of idle connections to an instance, in steps that are shorter than the instance keeps them', () => {
    const purge = / pool-purge-delay (\d+)s$/m.exec(read('haproxy.cfg'))?.[1];
    expect(Number(purge) * 1000).toBeLessThan(server.keepAliveMs / 2);
    expect(read('haproxy.cfg')).toContain('\n    http-reuse safe\n');
  });
});

describe('nginx.conf', () => {
  const tls: readonly Change[] = [
    ['#listen 443 ssl http2;', 'listen 127.0.0.1:3443 ssl http2;'],
    ['#ssl_certificate     /etc/ssl/realtime.example.com.pem', `ssl_certificate ${certificate}`],
    [
      '#ssl_certificate_key /etc/ssl/realtime.example.com.key',
      `ssl_certificate_key ${join(folder, 'key.pem')}`,
    ],
    ['#ssl_protocols', 'ssl_protocols'],
    ['#ssl_session_cache', 'ssl_session_cache'],
    ['#ssl_session_timeout', 'ssl_session_timeout'],
    ['#add_header', 'add_header'],
    [
      /#server \{\n *#( *listen) 80;\n *#(.*)\n *#(.*)\n *#\}/,
      'server { listen 127.0.0.1:3080; return 308 https://$host$request_uri; }',
    ],
  ];
  const sticky: readonly Change[] = [
    ['least_conn;', ''],
    ['#hash', 'hash'],
  ];
  const balanced: readonly Change[] = [
    ['#set_real_ip_from', 'set_real_ip_from'],
    ['#real_ip_header', 'real_ip_header'],
  ];

  it.each<[string, readonly Change[]]>([
    ['as it stands', []],
    ['with TLS', tls],
    ['with sticky sessions', sticky],
    ['behind another balancer', balanced],
  ])('is taken by nginx %s', (_how, changes) => {
    const text = nginxConfig({ folder, port: 3000, targets: TARGETS, changes });
    const args = ['-t', '-q', '-p', folder, '-e', join(folder, 'error.log')];
    expect(check(nginxPath(), text, (file) => [...args, '-c', file])).toBe('');
  });

  it('waits longer than the server is silent', () => {
    expect(ms('nginx.conf', 'proxy_read_timeout')).toBeGreaterThan(SILENCE_MS);
    expect(ms('nginx.conf', 'proxy_send_timeout')).toBeGreaterThan(SILENCE_MS);
  });

  it('gives up an idle connection to an instance before the instance does', () => {
    expect(ms('nginx.conf', 'keepalive_timeout')).toBeGreaterThan(0);
    expect(ms('nginx.conf', 'keepalive_timeout')).toBeLessThan(server.keepAliveMs);
  });
});

describe('redis.conf', () => {
  it.each([false, true])(
    'is taken by redis-server, and its user may not do harm (replicas: %s)',
    async (replicas) => {
      const redis = await startConfiguredRedis({ replicas });
      try {
        const ask = async (...command: [string, ...string[]]): Promise<unknown> =>
          (await askRedis(redis.url, command))[0];
        const config = async (name: string): Promise<unknown> =>
          ((await ask('CONFIG', 'GET', name)) as readonly string[])[1];
        expect(await config('maxmemory-policy')).toBe('noeviction');
        expect(await config('appendonly')).toBe('yes');
        expect(await config('appendfsync')).toBe('everysec');
        expect(await config('client-output-buffer-limit')).toContain(`pubsub ${2 ** 28} ${2 ** 26} 60`);
        expect(await config('min-replicas-to-write')).toBe(replicas ? '1' : '0');
        await expect(ask('CONFIG', 'SET', 'maxmemory', '1')).rejects.toThrow('NOPERM');
        await expect(ask('FLUSHALL')).rejects.toThrow('NOPERM');
        await expect(ask('SET', 'other', '1')).rejects.toThrow('NOPERM');
        const write = ask('SET', 'trunkline:x', '1').catch(String);
        expect(await write).toMatch(replicas ? 'NOREPLICAS' : /^OK$/);
      } finally {
        await redis.stop();
      }
    },
  );
});

it('redis.conf and the guide know the same user', () => {
  const rights = (text: string): string | undefined => /user trunkline on >\S+ (.*)/.exec(text)?.[1];
  const guide = readFileSync(join(projectDir, 'docs/guides/scale.md'), 'utf8');
  expect(rights(read('redis.conf'))).toBe(`${rights(guide) ?? ''} +config|get`);
});

interface Probe {
  readonly httpGet: { readonly path: string; readonly port: string };
  readonly periodSeconds: number;
  readonly failureThreshold: number;
}
interface Container {
  readonly ports: readonly { readonly name: string; readonly containerPort: number }[];
  readonly startupProbe: Probe;
  readonly lifecycle: { readonly preStop: { readonly exec: { readonly command: readonly string[] } } };
  readonly readinessProbe: Probe;
  readonly livenessProbe: Probe;
  readonly env: readonly { readonly name: string }[];
}
interface PodSpec {
  readonly terminationGracePeriodSeconds: number;
  readonly containers: readonly [Container];
}
interface Resource {
  readonly kind: string;
  readonly data: Readonly<Record<string, string>>;
  readonly metadata: { readonly labels: object };
  readonly spec: { readonly selector: object; readonly template: { readonly spec: PodSpec } };
}

describe('kubernetes.yaml', () => {
  const documents = parseAllDocuments(read('kubernetes.yaml'));
  const resources = documents.map((document) => document.toJS() as Resource);
  const find = (kind: string): Resource => resources.find((one) => one.kind === kind) as Resource;
  const pod = find('Deployment').spec.template.spec;
  const [container] = pod.containers;

  it('is YAML, with all that a deployment needs', () => {
    expect(documents.flatMap(({ errors, warnings }) => [...errors, ...warnings])).toEqual([]);
    const kinds = ['ConfigMap', 'Deployment', 'PodDisruptionBudget', 'Service', 'Ingress'];
    expect(resources.map(({ kind }) => kind)).toEqual(kinds);
    expect(find('Service').spec.selector).toEqual(find('Deployment').metadata.labels);
  });

  it('gives a pod the time for its drain, its close and the sleep before them', () => {
    const sleep = Number(container.lifecycle.preStop.exec.command[1]);
    const drainMs = Number(find('ConfigMap').data['TRUNKLINE_DRAIN_MS']);
    const needed = sleep + (drainMs + ops.stopMs) / 1000;
    expect(pod.terminationGracePeriodSeconds).toBeGreaterThanOrEqual(needed);
  });

  it('takes a pod out by one 503, and restarts it only when it does not answer', () => {
    expect(container.readinessProbe).toMatchObject({
      failureThreshold: 1,
      httpGet: { path: '/health/ready' },
    });
    expect(container.livenessProbe.httpGet.path).toBe('/health/live');
  });

  it('probes the port of operators, which no Service leads to', () => {
    const { data } = find('ConfigMap');
    expect(container.ports).toEqual([
      { name: 'http', containerPort: Number(data['PORT']) },
      { name: 'ops', containerPort: Number(data['TRUNKLINE_OPS_PORT']) },
    ]);
    expect(data['TRUNKLINE_OPS_HOST']).toBe('0.0.0.0');
    for (const { httpGet } of [container.startupProbe, container.readinessProbe, container.livenessProbe])
      expect(httpGet.port).toBe('ops');
    expect(find('Service').spec).toMatchObject({ ports: [{ targetPort: 'http' }] });
  });

  it('sets variables that exist', () => {
    const own = Object.keys(find('ConfigMap').data);
    for (const name of [...own, ...container.env.map((one) => one.name)]) expect(NAMES).toContain(name);
  });
});

interface Service {
  readonly environment?: Readonly<Record<string, string>>;
  readonly stop_grace_period?: string;
  readonly networks?: { readonly realtime?: { readonly ipv4_address?: string } };
}

describe('compose.yaml', () => {
  const { services } = parse(read('compose.yaml'), { merge: true }) as {
    services: Readonly<Record<string, Service>>;
  };
  const instances = ['a', 'b', 'c'].map((name) => services[name] as Service);

  it('gives the instances the addresses that both proxies name', () => {
    for (const { networks } of instances) {
      const address = networks?.realtime?.ipv4_address ?? '';
      for (const file of ['haproxy.cfg', 'nginx.conf']) expect(read(file)).toContain(`${address}:3000`);
    }
    expect(instances.map(({ environment }) => environment?.['TRUNKLINE_INSTANCE'])).toEqual(['a', 'b', 'c']);
  });

  it('sets variables that exist, and gives the drain its time', () => {
    for (const { environment = {}, stop_grace_period: grace } of instances) {
      for (const name of Object.keys(environment)) expect(NAMES).toContain(name);
      const needed = (Number(environment['TRUNKLINE_DRAIN_MS']) + ops.stopMs) / 1000;
      expect(Number.parseInt(grace ?? '', 10)).toBeGreaterThan(needed);
    }
  });
});

describe('Dockerfile', () => {
  it('copies what there is, and starts what the package starts', () => {
    const text = read('Dockerfile');
    const sources = [...text.matchAll(/^COPY (?!--from)(.+) \S+$/gm)].flatMap(([, list = '']) =>
      list.split(' '),
    );
    expect(sources.length).toBeGreaterThan(8);
    const ignore = read('Dockerfile.dockerignore');
    for (const source of sources) {
      expect(() => readFileSync(join(projectDir, source)), source).not.toThrow('ENOENT');
      expect(ignore).toContain(`!${source.split('/')[0] ?? ''}\n`);
    }
    expect(text).toMatch(/^HEALTHCHECK .*\n.*\+process\.env\.TRUNKLINE_OPS_PORT \|\| process\.env\.PORT/m);
    expect(text).toContain('CMD ["node", "dist/start.mjs"]');
    expect(readFileSync(join(projectDir, 'scripts/start.mjs'), 'utf8')).toContain("'../dist/start.mjs'");
    expect(text.lastIndexOf('USER node')).toBeGreaterThan(text.lastIndexOf('FROM '));
  });
});
