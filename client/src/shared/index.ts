// One connection for all tabs: all that an application may import from `trunkline-client/shared`.

export { sharedTrunkline, type SharedTrunklineOptions } from './shared-trunkline.js';
