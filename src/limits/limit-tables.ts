// The shared tables of this instance's limits, one per kind of key.

import type { LimitsOptions } from './limits.options.js';
import { BucketTable } from './token-bucket.js';

export class LimitTables {
  /** By user, or by address for strangers. */
  readonly messages: BucketTable;
  /** By address. */
  readonly connects: BucketTable;
  readonly api: BucketTable;

  constructor({ messageRate, connectRate, apiRate, tableSize }: LimitsOptions) {
    this.messages = new BucketTable(messageRate, tableSize);
    this.connects = new BucketTable(connectRate, tableSize);
    this.api = new BucketTable(apiRate, tableSize);
  }
}
