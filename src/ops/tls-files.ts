// Certificate and key of the server: read at the start, read again when the files change. Knows no server beyond its secure context.

import { X509Certificate } from 'node:crypto';
import { readFileSync, statSync } from 'node:fs';
import { createSecureContext } from 'node:tls';
import type { CoreLogger } from '../core/ports/application.js';

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

const HANDSHAKE_MS = 10_000;

export class TlsFiles {
  private seen: string;

  constructor(
    private readonly paths: TlsPaths,
    private readonly logger: CoreLogger,
  ) {
    this.seen = this.state();
  }

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

  /**
   * Looks every `everyMs`, by polling, since what watches files loses them when a secret is mounted anew; and at once on SIGHUP, as other
   * servers do. New handshakes get the new certificate; connections that are open stay as they are.
   */
  follow(server: SecureServer, everyMs: number): void {
    const timer = setInterval(() => {
      if (this.state() !== this.seen) this.reload(server);
    }, everyMs);
    timer.unref();
    const onHangUp = (): void => this.reload(server);
    process.on('SIGHUP', onHangUp);
    server.once('close', () => {
      clearInterval(timer);
      process.off('SIGHUP', onHangUp);
    });
  }

  /** A pair that does not fit is told once, and the old one stays. */
  reload(server: SecureServer): void {
    this.seen = this.state();
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

  /** Time, size and inode of both: a file that was replaced within one tick of the clock has another inode. */
  private state(): string {
    return [this.paths.certFile, this.paths.keyFile].map(stateOf).join(' ');
  }
}

function stateOf(file: string): string {
  const stat = statSync(file, { throwIfNoEntry: false });
  return stat === undefined ? 'none' : `${stat.mtimeMs}/${stat.size}/${stat.ino}`;
}
