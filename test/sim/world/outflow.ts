// What a process writes to one connection: some bytes the kernel takes, the rest waits in the process, and a full one says so.
// Knows no transport.

import type { Lane } from './network.js';

/** Bytes that the kernels of both ends take of a peer that does not read. In truth megabytes; small, so that a run fills them. */
const KERNEL_BYTES = 1500;
/** Bytes over which a stream of Node says that it is full. */
const FULL_BYTES = 500;

export class Outflow {
  /** Sent and not read by the peer. */
  private under = 0;
  full = false;

  constructor(
    private readonly lane: Lane,
    private readonly onDrain: () => void,
  ) {}

  /** What waits in the process, as `writableLength` of a socket. */
  get waiting(): number {
    return Math.max(0, this.under - KERNEL_BYTES);
  }

  /** False when it is full now. Each part comes as an event of its own. */
  write(parts: readonly { readonly size: number; readonly deliver: () => void }[]): boolean {
    for (const { size, deliver } of parts) {
      this.under += size;
      this.lane.send(() => {
        this.under -= size;
        deliver();
        if (!this.full || this.waiting > 0) return;
        this.full = false;
        this.onDrain();
      });
    }
    if (this.waiting > FULL_BYTES) this.full = true;
    return !this.full;
  }
}
