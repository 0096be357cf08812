// Debian's nginx in front of a server, on free ports with a folder of its own, ended by its own handle. Knows nothing of what passes.

import { execFileSync, spawn, type ChildProcess } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { findNginx } from '../../scripts/system.mjs';
import { freePorts } from './free-ports.js';
import { until } from './wait.js';

export interface Nginx {
  /** HTTP/1.1 in front, nginx's own default of HTTP/1.0 behind. */
  readonly url: string;
  /** As `url`, with a cache for what may be kept. Such an nginx asks on when a client breaks off before the answer. */
  readonly cachedUrl: string;
  /** TLS with HTTP/1.1 and HTTP/2 in front, HTTP/1.1 with connections kept behind. */
  readonly secureUrl: string;
  /** The certificate to trust. */
  readonly ca: Buffer;
  stop(): Promise<void>;
}

export function nginxPath(): string {
  const found = findNginx();
  if (found === undefined) throw new Error('No nginx was found; `npm test` says how to get one.');
  return found;
}

/** `target`: port of the server behind. Buffering and caching are as an operator may have them for other paths. */
export async function startNginx(target: number): Promise<Nginx> {
  const folder = mkdtempSync(join(tmpdir(), 'trunkline-nginx-'));
  const [plain = 0, cached = 0, secure = 0] = await freePorts(3);
  makeCertificate(folder);
  const file = join(folder, 'nginx.conf');
  writeFileSync(file, configuration({ folder, target, plain, cached, secure }));
  const child = spawn(nginxPath(), ['-p', folder, '-c', file, '-e', join(folder, 'error.log')], {
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  let errors = '';
  child.stderr.on('data', (chunk: Buffer) => (errors += chunk.toString()));
  const stop = async (): Promise<void> => {
    await ended(child);
    rmSync(folder, { recursive: true, force: true });
  };
  try {
    await until(async () => {
      if (child.exitCode !== null) throw new Error(`nginx ended with code ${child.exitCode}.\n${errors}`);
      return (await answers(plain)) && (await answers(secure));
    }, 'nginx to listen');
  } catch (error) {
    await stop();
    throw error;
  }
  return {
    url: `http://127.0.0.1:${plain}`,
    cachedUrl: `http://127.0.0.1:${cached}`,
    secureUrl: `https://127.0.0.1:${secure}`,
    ca: readFileSync(join(folder, 'cert.pem')),
    stop,
  };
}

interface Parts {
  readonly folder: string;
  readonly target: number;
  readonly plain: number;
  readonly cached: number;
  readonly secure: number;
}

function configuration({ folder, target, plain, cached, secure }: Parts): string {
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi']
    .map((name) => `${name}_temp_path ${folder}/${name};`)
    .join('\n  ');
  return `${process.getuid?.() === 0 ? 'user root;' : ''}
daemon off;
worker_processes 1;
pid ${folder}/nginx.pid;
events { worker_connections 512; }
http {
  access_log off;
  ${temporary}
  gzip on;
  proxy_cache_path ${folder}/cache keys_zone=shared:1m;
  proxy_set_header Host $host;
  upstream behind { server 127.0.0.1:${target}; keepalive 8; }
  server {
    listen 127.0.0.1:${plain};
    location / { proxy_pass http://behind; }
  }
  server {
    listen 127.0.0.1:${cached};
    proxy_cache shared;
    proxy_cache_valid 200 1m;
    location / { proxy_pass http://behind; }
  }
  server {
    listen 127.0.0.1:${secure} ssl http2;
    ssl_certificate ${folder}/cert.pem;
    ssl_certificate_key ${folder}/key.pem;
    location / {
      proxy_http_version 1.1;
      proxy_set_header Connection "";
      proxy_pass http://behind;
    }
  }
}
`;
}

export function makeCertificate(folder: string): void {
  const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2'];
  const files = ['-keyout', join(folder, 'key.pem'), '-out', join(folder, 'cert.pem')];
  const names = ['-subj', '/CN=localhost', '-addext', 'subjectAltName=DNS:localhost,IP:127.0.0.1'];
  execFileSync('openssl', ['req', '-x509', ...key, ...files, ...names], { stdio: 'ignore' });
}

function answers(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ port, host: '127.0.0.1' });
    socket.once('connect', () => (socket.destroy(), resolve(true)));
    socket.once('error', () => resolve(false));
  });
}

async function ended(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exit = new Promise((resolve) => child.once('exit', resolve));
  child.kill('SIGTERM');
  const limit = setTimeout(() => child.kill('SIGKILL'), 3000);
  await exit;
  clearTimeout(limit);
}
