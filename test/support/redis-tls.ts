// Certificates for a Redis that speaks TLS: an authority, servers it has signed for this machine, one for a name elsewhere, and an
// authority that has signed nothing. Knows no Redis.

import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { RedisTlsFiles } from './redis-server.js';

export interface Certificates {
  /** For 127.0.0.1 and localhost. */
  readonly here: RedisTlsFiles;
  /** For localhost, and no address. */
  readonly byName: RedisTlsFiles;
  /** For another host. */
  readonly elsewhere: RedisTlsFiles;
  /** Of an authority that nobody here is signed by. */
  readonly strangerCaFile: string;
  remove(): void;
}

export function makeCertificates(): Certificates {
  const folder = mkdtempSync(join(tmpdir(), 'trunkline-redis-tls-'));
  const ca = authority(folder, 'ca');
  return {
    here: signed(folder, ca, { name: 'here', hosts: 'IP:127.0.0.1,DNS:localhost' }),
    byName: signed(folder, ca, { name: 'by-name', hosts: 'DNS:localhost' }),
    elsewhere: signed(folder, ca, { name: 'elsewhere', hosts: 'DNS:redis.elsewhere.example' }),
    strangerCaFile: authority(folder, 'stranger').caFile,
    remove: () => rmSync(folder, { recursive: true, force: true }),
  };
}

const KEY = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'];

interface Authority {
  readonly caFile: string;
  readonly caKeyFile: string;
}

function authority(folder: string, name: string): Authority {
  const [caFile, caKeyFile] = [join(folder, `${name}.pem`), join(folder, `${name}.key`)];
  const subject = ['-subj', `/CN=${name}`, '-days', '2'];
  openssl('req', '-x509', ...KEY, '-keyout', caKeyFile, '-out', caFile, ...subject);
  return { caFile, caKeyFile };
}

function signed(
  folder: string,
  { caFile, caKeyFile }: Authority,
  { name, hosts }: { readonly name: string; readonly hosts: string },
): RedisTlsFiles {
  const [certFile, keyFile] = [join(folder, `${name}.pem`), join(folder, `${name}.key`)];
  const by = ['-CA', caFile, '-CAkey', caKeyFile, '-days', '2'];
  const whom = ['-subj', `/CN=${name}`, '-addext', `subjectAltName=${hosts}`];
  openssl('req', '-x509', ...KEY, '-keyout', keyFile, '-out', certFile, ...by, ...whom);
  return { caFile, certFile, keyFile };
}

function openssl(...args: readonly string[]): void {
  execFileSync('openssl', args, { stdio: 'ignore' });
}
