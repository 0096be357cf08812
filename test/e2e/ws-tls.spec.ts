// wss and https on the same port, with a certificate made for the test.

import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { get } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startE2e, type E2eServer } from '../support/e2e-server.js';
import { connect } from '../support/ws-client.js';

const folder = mkdtempSync(join(tmpdir(), 'trunkline-tls-'));
const [certFile, keyFile] = [join(folder, 'cert.pem'), join(folder, 'key.pem')] as const;

let server: E2eServer;
let ca: Buffer;
beforeAll(async () => {
  makeCertificate();
  ca = readFileSync(certFile);
  server = await startE2e({ env: { TRUNKLINE_TLS_CERT_FILE: certFile, TRUNKLINE_TLS_KEY_FILE: keyFile } });
});
afterAll(async () => {
  await server.close();
  rmSync(folder, { recursive: true });
});

function makeCertificate(): void {
  const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-keyout', keyFile];
  const names = ['-subj', '/CN=localhost', '-addext', 'subjectAltName=DNS:localhost,IP:127.0.0.1'];
  execFileSync('openssl', ['req', '-x509', ...key, '-out', certFile, '-days', '2', ...names], {
    stdio: 'ignore',
  });
}

const secure = (): string => `wss://127.0.0.1:${server.port}/ws`;

describe('with a certificate', () => {
  it('the socket is wss, and messages go both ways', async () => {
    const client = await connect(secure(), { token: server.token('ana'), ws: { ca } });
    await client.subscribe('chat:tls');
    const text = 'x'.repeat(2000);
    await client.ok('publish', { channel: 'chat:tls', event: 'message', data: { text } });
    expect((await client.next('message')).data.data).toEqual({ text, name: 'ana' });
    expect((await client.close()).code).toBe(1000);
  });

  it('a client that does not trust the certificate does not connect', async () => {
    await expect(connect(secure())).rejects.toThrow(/self.signed/i);
  });

  it('plain ws on the port gets no answer of the protocol', async () => {
    await expect(connect(server.wsUrl)).rejects.toThrow();
  });

  it('HTTP is https', async () => {
    const status = await new Promise((resolve, reject) => {
      get(`https://127.0.0.1:${server.port}/health/ready`, { ca }, (response) => {
        response.resume();
        resolve(response.statusCode);
      }).on('error', reject);
    });
    expect(status).toBe(200);
  });
});
