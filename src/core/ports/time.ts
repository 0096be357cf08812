// Time and chance as core sees them, so that a simulator can give both. The real ones live here too, since they need nothing.

import { randomBytes } from 'node:crypto';

export type Cancel = () => void;

export interface Clock {
  /** Milliseconds since 1970. */
  now(): number;
  /** Runs once after `ms`; does not keep the process alive. */
  after(ms: number, run: () => void): Cancel;
  /** Runs once when the present turn of the event loop has handled its input. */
  soon(run: () => void): void;
}

export interface Random {
  /** `bytes` random bytes as base64url. */
  id(bytes: number): string;
  /** 0 ≤ x < 1. */
  fraction(): number;
}

export const SYSTEM_CLOCK: Clock = {
  now: () => Date.now(),
  after(ms, run) {
    const timer = setTimeout(run, ms);
    timer.unref();
    return () => clearTimeout(timer);
  },
  soon: (run) => void setImmediate(run),
};

/** One call for 4 KiB of random bytes costs as much as one for 16; ids are cut from the pool. */
const POOL_BYTES = 4096;

export class SystemRandom implements Random {
  private pool = Buffer.alloc(0);
  private used = 0;

  id(bytes: number): string {
    if (this.used + bytes > this.pool.length) {
      this.pool = randomBytes(Math.max(POOL_BYTES, bytes));
      this.used = 0;
    }
    this.used += bytes;
    return this.pool.toString('base64url', this.used - bytes, this.used);
  }

  fraction(): number {
    return Math.random();
  }
}
