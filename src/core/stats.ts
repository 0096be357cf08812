// Plain counters of the core, added to on the road of a message and read by ops at a scrape. Knows no metrics library.

import { LimitLedger } from './ports/limits.js';

export class CoreStats {
  /** `limits`: what each limit refused; the ledger that the limits themselves write. */
  constructor(readonly limits = new LimitLedger()) {}

  /** Publications the log accepted, by this instance. */
  published = 0;
  /** Publishes answered from an idempotency key. */
  duplicatesSuppressed = 0;
  /** Publications handed to a transport or to a reply as live pushes. */
  delivered = 0;
  /** Publications given in subscribe replies. */
  replayed = 0;
  /** Publications left out by an overflow policy, each told in a gap. */
  dropped = 0;
  /** Gaps told to sessions, and resumes refused. */
  discontinuities = 0;
  /** Holes found on the bus and filled from the log. */
  repaired = 0;
  /** Publications that came twice on the bus. */
  busDuplicates = 0;
  /** Sessions closed because their token was revoked. */
  revoked = 0;
  frames = 0;
  readonly errors = new Map<string, number>();
  readonly closes = new Map<number, number>();
  readonly resumes = { recovered: 0, refused: 0 };

  error(code: string): void {
    this.errors.set(code, (this.errors.get(code) ?? 0) + 1);
  }

  /** `code` is one of ours or of RFC 6455; a peer's free choice is counted as 0, so the table is bounded. */
  close(code: number, known: boolean): void {
    const row = known ? code : 0;
    this.closes.set(row, (this.closes.get(row) ?? 0) + 1);
  }
}
