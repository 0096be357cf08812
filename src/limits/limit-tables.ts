// The shared tables of this instance's limits, one per kind of key.

import type { LimitsOptions } from './limits.options.js';
import { BucketTable } from './token-bucket.js';

export class LimitTables {
  /** By user, or by address for strangers. */
  readonly messages: BucketTable;
  /** By address. */
  readonly connects: BucketTable;
  readonly api: BucketTable;
  /** Polls, by user or address: as often as messages, and beside them, so that listening does not silence. */
  readonly polls: BucketTable;

  constructor({ messageRate, connectRate, apiRate, tableSize }: LimitsOptions) {
    this.messages = new BucketTable(messageRate, tableSize);
    this.connects = new BucketTable(connectRate, tableSize);
    this.polls = new BucketTable(messageRate, tableSize);
    this.api = new BucketTable(apiRate, tableSize);
  }
}
