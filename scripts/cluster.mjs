// `npm run cluster`: three instances over one Redis behind HAProxy, on this machine, to be looked at. Not for production: see deploy/.
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { build, BuildError } from './build.mjs';
import { end, freePort, isOpen, isUp, print, running, start, Trouble } from './children.mjs';
import { projectDir } from './parts.mjs';
import { haproxyConfig } from './proxy-config.mjs';
import { findHaproxy, findRedis } from './system.mjs';

const NAMES = ['a', 'b', 'c'];
/** Milliseconds after which a killed instance is started again, as an orchestrator would. */
const RESTART_MS = 5000;
const SERVER = join(projectDir, 'dist', 'start.mjs');
const ADDRESS = /websocket +wss?:\/\/localhost:(\d+)\/ws/;

const folder = mkdtempSync(join(tmpdir(), 'trunkline-cluster-'));
let ending = false;

/** @param {string} variable @param {string} fallback @returns {number[]} */
function portsOf(variable, fallback) {
  const text = process.env[variable]?.trim() || fallback;
  const ports = text.split(',').map(Number);
  const count = fallback.split(',').length;
  if (ports.length === count && ports.every((port) => Number.isInteger(port) && port >= 0 && port < 65_536))
    return ports;
  throw new Trouble(
    `${variable} is "${text}"; it must be ${count === 1 ? 'a port' : `${count} ports with commas between`}.`,
  );
}

/** What is missing is told before anything starts. @returns {{ redis: string, haproxy: string }} `redis`: '' where one is given */
function programs() {
  const redis = process.env['REDIS_URL']?.trim() ? '' : findRedis();
  const haproxy = findHaproxy();
  if (redis === undefined) {
    throw new Trouble(
      'redis-server was not found. Install it (Debian: apt-get install redis-server; macOS: brew install redis),\n' +
        'or set REDIS_URL to a Redis that you have.',
    );
  }
  if (haproxy === undefined) {
    throw new Trouble(
      'haproxy was not found. Install it (Debian: apt-get install haproxy; macOS: brew install haproxy).',
    );
  }
  return { redis, haproxy };
}

/** @param {string} program @returns {Promise<string>} its address */
async function startRedis(program) {
  const given = process.env['REDIS_URL']?.trim();
  if (given) return given;
  const port = await freePort(0, 'REDIS_URL');
  const rules = ['--include', join(projectDir, 'deploy', 'redis.conf'), '--loglevel', 'warning'];
  const place = ['--port', String(port), '--bind', '127.0.0.1', '--dir', folder];
  const child = start('redis', program, [...rules, ...place]);
  await isUp(() => isOpen(port), 'redis-server', child);
  return `redis://127.0.0.1:${port}`;
}

/** Started again when it ends. @param {string} name @param {number} port @param {string} redisUrl @returns {Promise<number>} its process id */
async function startInstance(name, port, redisUrl) {
  /** @type {NodeJS.ProcessEnv} */
  const env = {
    // Behind the proxy everybody has one address.
    TRUNKLINE_HTTP_RATE: '0',
    ...process.env,
    PORT: String(port),
    HOST: '127.0.0.1',
    REDIS_URL: redisUrl,
    TRUNKLINE_BACKPLANE: 'redis',
    TRUNKLINE_INSTANCE: name,
    // The proxy asks each by its one port, and three cannot share another.
    TRUNKLINE_OPS_PORT: '',
    // The proxy speaks plain HTTP with them.
    TRUNKLINE_TLS_CERT_FILE: '',
    TRUNKLINE_TLS_KEY_FILE: '',
  };
  // One market for all: the others would make up prices of their own.
  if (name !== NAMES[0] && (env['NODE_ENV'] ?? 'development') === 'development') env['NODE_ENV'] = 'test';
  let serves = false;
  let greets = false;
  const hear = (/** @type {string} */ line) => {
    serves ||= ADDRESS.test(line);
    greets ||= line.startsWith('Trunkline is up');
    // Each would greet with addresses of its own. What it says before is why it does not start.
    return !greets || line.startsWith('{');
  };
  const child = start(name, process.execPath, [SERVER], { env, hear });
  child.once('close', (code, signal) => {
    if (ending || !serves) return;
    print(name, `ended (${signal ?? `code ${String(code)}`}); it starts again in ${RESTART_MS / 1000} s`);
    setTimeout(() => {
      if (!ending) startInstance(name, port, redisUrl).catch(fail);
    }, RESTART_MS);
  });
  await isUp(() => serves, `Instance ${name}`, child);
  print(name, `up on http://localhost:${port}/, process ${String(child.pid)}`);
  return child.pid ?? 0;
}

/**
 * @param {string} program @param {number} port @param {readonly number[]} targets
 * @returns {Promise<number>} port of its page of figures
 */
async function startProxy(program, port, targets) {
  const figures = await freePort(0, 'PORT');
  const file = join(folder, 'haproxy.cfg');
  // A line for each request would hide what there is to see; and one who comes back is wanted at once.
  const changes = /** @type {const} */ ([
    ['log stdout format raw local0', 'log stdout format raw local0 notice'],
    [' slowstart 20s', ''],
  ]);
  writeFileSync(file, haproxyConfig({ folder, port, figures, targets, changes }));
  const child = start('proxy', program, ['-db', '-f', file]);
  await isUp(() => isOpen(port), 'haproxy', child);
  return figures;
}

/** @param {{ port: number, figures: number, ports: readonly number[], pids: readonly number[] }} places */
function greeting({ port, figures, ports, pids }) {
  const base = `http://localhost:${port}`;
  return `
Three instances act as one.
  page           ${base}/
  prices         ${base}/prices
  notifications  ${base}/notifications
  figures        http://localhost:${figures}/
${NAMES.map((name, at) => `  instance ${name}     http://localhost:${String(ports[at])}/  (process ${String(pids[at])})`).join('\n')}

What to try:
  1. Open the page in two windows, with two names. Beside "Connected" stands the instance that each talks to.
  2. Write in one, read in the other.
  3. Kill the instance of one of them, for example a:  kill -9 ${String(pids[0])}
     It comes back on another instance, and no message is missing. After ${RESTART_MS / 1000} s the dead one starts again.
  4. kill ${String(pids[1])} drains b instead: its clients are asked to move, one by one.
Ctrl-C ends everything.
`;
}

/** In order: instances first, so that nobody complains of what went before. */
async function stop() {
  ending = true;
  const isInstance = (/** @type {import('./children.mjs').ChildProcess} */ { spawnargs }) =>
    spawnargs.includes(SERVER);
  const all = [...running];
  await Promise.all(all.filter(isInstance).map((child) => end(child, 'SIGINT')));
  await Promise.all([...running].map((child) => end(child, 'SIGTERM')));
  rmSync(folder, { recursive: true, force: true });
}

/** @param {unknown} error */
async function fail(error) {
  if (ending) return;
  const told = error instanceof Trouble || error instanceof BuildError;
  console.error(told ? error.message : error);
  await stop();
  process.exit(1);
}

async function main() {
  const env = join(projectDir, '.env');
  if (existsSync(env)) process.loadEnvFile(env);
  const [wanted = 0] = portsOf('PORT', '3000');
  const own = portsOf('CLUSTER_PORTS', '3001,3002,3003');
  const { redis, haproxy } = programs();
  await build({ ifMissing: true });
  const port = await freePort(wanted, 'PORT');
  /** @type {number[]} */
  const ports = [];
  for (const one of own) ports.push(await freePort(one, 'CLUSTER_PORTS'));
  const redisUrl = await startRedis(redis);
  const pids = await Promise.all(NAMES.map((name, at) => startInstance(name, ports[at] ?? 0, redisUrl)));
  const figures = await startProxy(haproxy, port, ports);
  console.log(greeting({ port, figures, ports, pids }));
}

for (const signal of /** @type {const} */ (['SIGINT', 'SIGTERM', 'SIGHUP']))
  process.on(signal, () => {
    // The second time: at once.
    if (ending) for (const child of running) child.kill('SIGKILL');
    else void stop().then(() => process.exit(0));
  });
// Whatever ends this process, nothing stays behind but what only SIGKILL can leave.
process.on('exit', () => {
  for (const child of running) child.kill('SIGKILL');
  rmSync(folder, { recursive: true, force: true });
});
main().catch(fail);
