// The configurations of deploy/ for proxies on this machine: same rules, other ports and folders. Starts no proxy.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { projectDir } from './parts.mjs';

/**
 * @typedef {object} ProxyPlace
 * @property {string} folder of the proxy alone, for its pid file and sockets
 * @property {number} port where it listens, on the loopback address
 * @property {readonly number[]} targets ports of the three instances
 * @property {readonly (readonly [string | RegExp, string])[]} [changes] more that is other than in the file
 */

/**
 * Throws when a piece is not there: then the file has changed, and what runs would not be what it says.
 * @param {string} file below deploy/ @param {readonly (readonly [string | RegExp, string])[]} changes
 */
function changed(file, changes) {
  let text = readFileSync(join(projectDir, 'deploy', file), 'utf8');
  for (const [piece, by] of changes) {
    const next = text.replace(piece, () => by);
    if (next === text) throw new Error(`deploy/${file} has no ${String(piece)}.`);
    text = next;
  }
  return text;
}

/** @param {readonly number[]} targets @returns {[string, string][]} */
const addresses = (targets) => targets.map((port, at) => [`10.77.0.${11 + at}:3000`, `127.0.0.1:${port}`]);

/** @param {ProxyPlace & { figures: number }} place `figures`: port of the page of figures @returns {string} */
export function haproxyConfig({ folder, port, figures, targets, changes = [] }) {
  return changed('haproxy.cfg', [
    // Whoever runs it, it stays that user.
    ['    user haproxy\n    group haproxy\n', ''],
    // Without being root one may not raise the open-file limit to this.
    ['maxconn 32768', 'maxconn 400'],
    ['/run/haproxy/admin.sock', join(folder, 'admin.sock')],
    ['bind :80 ', `bind 127.0.0.1:${port} `],
    ['bind 127.0.0.1:8404', `bind 127.0.0.1:${figures}`],
    ...addresses(targets),
    ...changes,
  ]);
}

/** @param {ProxyPlace} place @returns {string} */
export function nginxConfig({ folder, port, targets, changes = [] }) {
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map(
    (name) => `${name}_temp_path ${join(folder, name)};`,
  );
  return changed('nginx.conf', [
    ['user www-data;', process.getuid?.() === 0 ? 'user root;\ndaemon off;' : 'daemon off;'],
    ['worker_processes auto;', 'worker_processes 2;'],
    ['worker_rlimit_nofile 65536;', ''],
    ['worker_connections 32768;', 'worker_connections 512;'],
    ['/run/nginx.pid', join(folder, 'nginx.pid')],
    [/\/var\/log\/nginx\/error\.log/g, join(folder, 'error.log')],
    ['/var/log/nginx/access.log', join(folder, 'access.log')],
    ['http {\n', `http {\n    ${temporary.join('\n    ')}\n`],
    ['listen 80;', `listen 127.0.0.1:${port};`],
    ...addresses(targets),
    ...changes,
  ]);
}
