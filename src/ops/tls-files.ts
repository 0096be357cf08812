// Certificate and key of the server: read at the start, read again when the files change. Knows no server beyond its secure context.

import { X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createSecureContext } from 'node:tls';
import { FileWatch } from '../auth/file-watch.js';
import type { CoreLogger } from '../core/ports/application.js';
import { SYSTEM_CLOCK } from '../core/ports/time.js';

export interface TlsPair {
  readonly cert: Buffer;
  readonly key: Buffer;
  readonly minVersion: 'TLSv1.2';
  /** Milliseconds a peer has to finish its handshake; Node's own is 120 s. */
  readonly handshakeTimeout: number;
}

/** The part of an https server that takes a new certificate. */
export interface SecureServer {
  setSecureContext(pair: Pick<TlsPair, 'cert' | 'key' | 'minVersion'>): void;
  once(event: 'close', listener: () => void): unknown;
}

export interface TlsPaths {
  readonly certFile: string;
  readonly keyFile: string;
}

/** As long as a request may take. No shorter: in a storm of reconnects it is this server that is slow, 1 to 2 ms of a core for each. */
const HANDSHAKE_MS = 9000;

export class TlsFiles {
  constructor(
    private readonly paths: TlsPaths,
    private readonly logger: CoreLogger,
  ) {}

  /** Throws when a file cannot be read, or they are no pair. */
  read(): TlsPair {
    const pair = {
      cert: readFileSync(this.paths.certFile),
      key: readFileSync(this.paths.keyFile),
      minVersion: 'TLSv1.2',
      handshakeTimeout: HANDSHAKE_MS,
    } as const;
    createSecureContext(pair);
    return pair;
  }

  /** New handshakes get a new certificate; connections that are open stay as they are. */
  follow(server: SecureServer, everyMs: number): void {
    const { certFile, keyFile } = this.paths;
    const onChange = (): void => this.reload(server);
    const watch = new FileWatch({ paths: [certFile, keyFile], everyMs, clock: SYSTEM_CLOCK, onChange });
    watch.start();
    server.once('close', () => watch.stop());
  }

  /** A pair that does not fit is told once, and the old one stays. */
  private reload(server: SecureServer): void {
    try {
      const { cert, key, minVersion } = this.read();
      server.setSecureContext({ cert, key, minVersion });
      const { subject, validTo } = new X509Certificate(cert);
      this.logger.warn('The certificate was replaced.', { subject, validTo });
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      this.logger.error('The new certificate or key is not good; the old ones stay.', { reason });
    }
  }
}
