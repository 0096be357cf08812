// Chance that comes out the same in every run with the same seed. Knows only the port it fills.

import type { Random } from '../../src/core/ports/time.js';

/** The generator mulberry32: 32 bits of state, good enough to spread tests. */
export class SeededRandom implements Random {
  private state: number;

  constructor(seed = 1) {
    this.state = seed >>> 0;
  }

  id(bytes: number): string {
    const buffer = Buffer.alloc(bytes);
    for (let i = 0; i < bytes; i++) buffer[i] = Math.floor(this.fraction() * 256);
    return buffer.toString('base64url');
  }

  fraction(): number {
    this.state = (this.state + 0x6d2b79f5) >>> 0;
    let mixed = this.state;
    mixed = Math.imul(mixed ^ (mixed >>> 15), mixed | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  }

  /** A whole number ≥ 0 and < `end`. */
  below(end: number): number {
    return Math.floor(this.fraction() * end);
  }
}
