// The shared tables of this instance's limits, one per kind of key, each with the name under which it refuses.

import type { LimitLedger, LimitName } from '../core/ports/limits.js';
import { countedKey } from './address.js';
import type { LimitsOptions } from './limits.options.js';
import { BucketTable } from './token-bucket.js';

/** A table that asks the ledger before it refuses. */
export class NamedTable {
  constructor(
    private readonly limit: LimitName,
    private readonly table: BucketTable,
    private readonly ledger: LimitLedger,
  ) {}

  get size(): number {
    return this.table.size;
  }

  /** 0 when it may pass now, otherwise milliseconds until it may. */
  take(key: string, nowMs: number, cost = 1): number {
    const waitMs = this.table.take(key, nowMs, cost);
    return waitMs > 0 && this.ledger.refuses(this.limit, key) ? waitMs : 0;
  }
}

export class LimitTables {
  /** By user, or by address for strangers. */
  readonly messages: NamedTable;
  /** By address. */
  readonly connects: NamedTable;
  /** All addresses together. */
  readonly totalConnects: NamedTable;
  readonly api: NamedTable;
  /** Polls, by user or address: as often as messages, and beside them, so that listening does not silence. */
  readonly polls: NamedTable;

  constructor(options: LimitsOptions, ledger: LimitLedger) {
    const { messageRate, connectRate, totalConnectRate, apiRate, tableSize } = options;
    const table = (limit: LimitName, rate: typeof messageRate): NamedTable =>
      new NamedTable(limit, new BucketTable(rate, tableSize), ledger);
    this.messages = table('requests', messageRate);
    this.connects = table('connects', connectRate);
    this.totalConnects = table('total_connects', totalConnectRate);
    this.polls = table('polls', messageRate);
    this.api = table('api_requests', apiRate);
  }
}

/** Users and addresses of strangers share tables; the first letter keeps a user from being called like an address. */
export function callerKey(user: string | undefined, address: string | undefined): string {
  return user === undefined ? `a ${countedKey(address ?? 'unknown')}` : `u ${user}`;
}
