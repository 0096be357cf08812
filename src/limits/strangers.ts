// Counts the sockets that have neither identity nor subscription, by address and in all. Knows no socket and no transport.

import { TrunklineError } from '../core/errors.js';
import type { LimitLedger } from '../core/ports/limits.js';
import { countedKey } from './address.js';

export interface StrangersOptions {
  /** 0: no limit. */
  readonly maxStrangers: number;
  readonly maxStrangersPerAddress: number;
  /** Bytes of one message. 0: as for everybody. */
  readonly strangerFrameBytes: number;
}

/** One socket while it is a stranger. */
export interface Stranger {
  /** Bytes that may be taken of one message; 0: as for everybody. */
  readonly takes: number;
  /** A message of so many bytes has come, or would have. True: it is too much. */
  isTooMuch(bytes: number): boolean;
  /** It is none any more; once is enough. */
  leave(): void;
}

/** Each leaves or says who it is within ten seconds, by default. */
const RETRY_MS = 5000;

export class Strangers {
  private readonly counts = new Map<string, number>();
  private total = 0;

  constructor(
    private readonly options: StrangersOptions,
    private readonly ledger: LimitLedger,
  ) {}

  get size(): number {
    return this.total;
  }

  /** Ask in the very step of opening. Undefined: one more may come. */
  refusal(address: string): TrunklineError | undefined {
    const { maxStrangers, maxStrangersPerAddress } = this.options;
    const key = countedKey(address);
    const ofAddress = this.counts.get(key) ?? 0;
    if (maxStrangersPerAddress > 0 && ofAddress >= maxStrangersPerAddress) {
      if (this.ledger.refuses('strangers', key))
        return new TrunklineError('rate_limited', 'Too many connections without a login from this address.', {
          retryAfterMs: RETRY_MS,
        });
    }
    if (maxStrangers > 0 && this.total >= maxStrangers && this.ledger.refuses('total_strangers', key))
      return new TrunklineError('unavailable', 'Too many connections without a login.', {
        retryAfterMs: RETRY_MS,
      });
    return undefined;
  }

  /** Counts one until it leaves. */
  enter(address: string): Stranger {
    const { strangerFrameBytes: most } = this.options;
    const { ledger } = this;
    const key = countedKey(address);
    this.counts.set(key, (this.counts.get(key) ?? 0) + 1);
    this.total++;
    let gone = false;
    return {
      takes: ledger.isDry('stranger_bytes') ? 0 : most,
      isTooMuch: (bytes) => most > 0 && bytes > most && ledger.refuses('stranger_bytes', key),
      leave: () => {
        if (gone) return;
        gone = true;
        this.leave(key);
      },
    };
  }

  private leave(key: string): void {
    this.total--;
    const left = (this.counts.get(key) ?? 1) - 1;
    if (left === 0) this.counts.delete(key);
    else this.counts.set(key, left);
  }
}
