// The TLS of the server itself: versions, and a certificate that is replaced while connections are open. Asks with openssl.

import { execFile } from 'node:child_process';
import {
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect as connectTls } from 'node:tls';
import { promisify } from 'node:util';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { startApp } from '../../src/bootstrap.js';
import { ConfigError, loadConfig } from '../../src/config/config.js';
import { StructuredLogger } from '../../src/ops/logger.js';
import type { E2eServer } from '../support/e2e-server.js';
import { makeCertificate } from '../support/nginx.js';
import { killProcesses, startProcess } from '../support/processes.js';
import { connect, disposeClients } from '../support/ws-client.js';
import { until } from '../support/wait.js';

const folder = mkdtempSync(join(tmpdir(), 'trunkline-tls-'));
const live = join(folder, 'live');
const [certFile, keyFile] = [join(live, 'cert.pem'), join(live, 'key.pem')] as const;
const FILES = { TRUNKLINE_TLS_CERT_FILE: certFile, TRUNKLINE_TLS_KEY_FILE: keyFile };
const LOOK_MS = 20;

/** A pair of its own in a folder of its own. */
function newPair(name: string): string {
  const place = join(folder, name);
  mkdirSync(place, { recursive: true });
  makeCertificate(place);
  return place;
}

/** As a tool that renews certificates does it: beside the old one, and then renamed. */
function install(place: string, ...names: readonly ('cert.pem' | 'key.pem')[]): void {
  mkdirSync(live, { recursive: true });
  for (const name of names.length === 0 ? (['key.pem', 'cert.pem'] as const) : names) {
    copyFileSync(join(place, name), join(live, `${name}.new`));
    renameSync(join(live, `${name}.new`), join(live, name));
  }
}

const [first, second] = [newPair('first'), newPair('second')];
const fingerprint = async (file: string): Promise<string> =>
  (await promisify(execFile)('openssl', ['x509', '-in', file, '-noout', '-fingerprint', '-sha256'])).stdout
    .trim()
    .replace(/^.*=/, '');

/** Of the certificate that a new handshake is given. */
function shown(port: number): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connectTls({ port, host: '127.0.0.1', rejectUnauthorized: false }, () => {
      resolve(socket.getPeerCertificate().fingerprint256);
      socket.destroy();
    });
    socket.on('error', reject);
  });
}

const lines: string[] = [];
const logged = (text: string): number => lines.filter((line) => line.includes(text)).length;

let server: Pick<E2eServer, 'wsUrl' | 'token' | 'close'>;
let port: number;
beforeAll(async () => {
  install(first);
  const logger = new StructuredLogger({ logLevel: 'info' }, { write: (line) => void lines.push(line) });
  const config = loadConfig({ NODE_ENV: 'test', PORT: '0', HOST: '127.0.0.1', ...FILES }).config;
  const running = await startApp(
    { ...config, server: { ...config.server, tlsCheckMs: LOOK_MS } },
    { logger },
  );
  port = running.port;
  server = { wsUrl: `wss://127.0.0.1:${port}/ws`, token: () => '', close: () => running.app.close() };
});
afterEach(() => disposeClients());
afterAll(async () => {
  await server.close();
  await killProcesses();
  rmSync(folder, { recursive: true });
});

describe('the version', () => {
  /** What openssl says of a handshake of this version only; old ones want a lower level of its own. */
  async function handshake(version: string): Promise<string> {
    const args = ['s_client', '-connect', `127.0.0.1:${port}`, version, '-cipher', 'DEFAULT@SECLEVEL=0'];
    const asked = promisify(execFile)('openssl', args, { timeout: 5000 });
    asked.child.stdin?.end();
    const { stdout, stderr } = await asked.catch(
      (error: unknown) => error as { stdout: string; stderr: string },
    );
    return stdout + stderr;
  }

  it.each(['-tls1', '-tls1_1'])('%s is refused', async (version) => {
    const said = await handshake(version);
    expect(said).toMatch(/alert protocol version|unsupported protocol|no protocols available/);
    expect(said).not.toMatch(/Cipher is (?!\(NONE\))/);
  });

  it.each([
    ['-tls1_2', /TLSv1\.2, Cipher is (?!\(NONE\))/],
    ['-tls1_3', /TLSv1\.3, Cipher is (?!\(NONE\))/],
  ])('%s is spoken', async (version, said) => {
    expect(await handshake(version)).toMatch(said);
  });

  it('1.2 has no cipher without forward secrecy or with CBC and SHA-1 alone', async () => {
    for (const cipher of ['AES128-SHA', 'AES256-GCM-SHA384', 'DES-CBC3-SHA', 'RC4-SHA', 'NULL']) {
      const args = [
        's_client',
        '-connect',
        `127.0.0.1:${port}`,
        '-tls1_2',
        '-cipher',
        `${cipher}:@SECLEVEL=0`,
      ];
      const asked = promisify(execFile)('openssl', args, { timeout: 5000 });
      asked.child.stdin?.end();
      const { stdout } = await asked.catch((error: unknown) => error as { stdout: string });
      expect(stdout, cipher).not.toMatch(/Cipher is (?!\(NONE\))/);
    }
  });
});

describe('a certificate that is replaced', () => {
  it('is shown to new handshakes; connections that are open stay and work', async () => {
    const old = await connect(server.wsUrl, { ws: { ca: readFileSync(join(first, 'cert.pem')) } });
    expect(await shown(port)).toBe(await fingerprint(join(first, 'cert.pem')));
    install(second);
    const wanted = await fingerprint(join(second, 'cert.pem'));
    await until(async () => (await shown(port)) === wanted, 'the new certificate');
    await old.ok('ping');
    await (await connect(server.wsUrl, { ws: { ca: readFileSync(certFile) } })).ok('ping');
    expect(logged('The certificate was replaced.')).toBeGreaterThan(0);
  });

  it.each<[string, () => void]>([
    ['is no certificate', () => writeFileSync(certFile, 'nonsense')],
    ['is gone', () => rmSync(certFile)],
    ['has another key', () => install(first, 'cert.pem')],
    ['has a key that is empty', () => writeFileSync(keyFile, '')],
    ['is cut off', () => writeFileSync(certFile, readFileSync(join(second, 'cert.pem')).subarray(0, 300))],
  ])('and %s leaves the old one, is told, and mends itself', async (_name, spoil) => {
    install(second);
    const before = await fingerprint(join(second, 'cert.pem'));
    await until(async () => (await shown(port)) === before);
    const told = logged('The new certificate or key is not good');
    spoil();
    await until(() => logged('The new certificate or key is not good') > told, 'the error to be told');
    expect(await shown(port)).toBe(before);
    await (await connect(server.wsUrl, { ws: { rejectUnauthorized: false } })).ok('ping');
    install(first);
    const mended = await fingerprint(join(first, 'cert.pem'));
    await until(async () => (await shown(port)) === mended, 'the good pair');
  });

  it('does not bring the old versions back', async () => {
    install(second);
    await until(async () => (await shown(port)) === (await fingerprint(join(second, 'cert.pem'))));
    const old = connectTls({
      port,
      host: '127.0.0.1',
      rejectUnauthorized: false,
      minVersion: 'TLSv1',
      maxVersion: 'TLSv1.1',
      ciphers: 'DEFAULT@SECLEVEL=0',
    });
    await expect(
      new Promise((resolve, reject) => old.once('secureConnect', resolve).once('error', reject)),
    ).rejects.toThrow(/protocol/i);
  });

  it('is read at once on SIGHUP, and the process goes on', async () => {
    install(first);
    const process = await startProcess(FILES);
    expect(await shown(process.port)).toBe(await fingerprint(join(first, 'cert.pem')));
    install(second);
    process.signal('SIGHUP');
    const wanted = await fingerprint(join(second, 'cert.pem'));
    // Less than the 10 s between two looks.
    await until(async () => (await shown(process.port)) === wanted, 'the new certificate', 5000);
    expect(await process.kill('SIGTERM')).toEqual({ code: 0, signal: null });
  }, 60_000);
});

describe('a pair that does not fit', () => {
  it('stops the start, and names the variables', async () => {
    writeFileSync(join(folder, 'other.pem'), readFileSync(join(first, 'key.pem')));
    const { config } = loadConfig({
      NODE_ENV: 'test',
      PORT: '0',
      TRUNKLINE_TLS_CERT_FILE: join(second, 'cert.pem'),
      TRUNKLINE_TLS_KEY_FILE: join(folder, 'other.pem'),
    });
    const start = startApp(config);
    await expect(start).rejects.toThrow(ConfigError);
    await expect(start).rejects.toThrow(/TRUNKLINE_TLS_CERT_FILE.*TRUNKLINE_TLS_KEY_FILE.*mismatch/);
  });
});

describe('a peer that breaks its handshake', () => {
  it.each([
    ['with nonsense', 'nonsense\r\n\r\n'],
    ['with plain HTTP', 'GET / HTTP/1.1\r\nHost: a\r\n\r\n'],
    ['by a reset', '\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03'],
  ])('%s harms nobody', async (_name, bytes) => {
    const { connect: open } = await import('node:net');
    const socket = open(port, '127.0.0.1');
    socket.on('error', () => {});
    await new Promise((resolve) => socket.once('connect', resolve));
    await new Promise((resolve) => socket.write(Buffer.from(bytes, 'latin1'), resolve));
    socket.resetAndDestroy();
    await (await connect(server.wsUrl, { ws: { rejectUnauthorized: false } })).ok('ping');
  });
});
