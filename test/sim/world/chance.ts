// Chance split by purpose: each purpose of a seed has its own line of numbers, so that what one draws changes nothing for another.

import { SeededRandom } from '../../support/seeded-random.js';

/** FNV-1a, 32 bits, with a last mixing so that neighbours are far apart. */
function hash(text: string): number {
  let value = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) value = Math.imul(value ^ text.charCodeAt(i), 0x01000193);
  value = Math.imul(value ^ (value >>> 16), 0x85ebca6b);
  return (value ^ (value >>> 13)) >>> 0;
}

export class Chance extends SeededRandom {
  constructor(
    private readonly seed: number,
    private readonly purpose: string,
  ) {
    super(hash(`${seed} ${purpose}`));
  }

  /** Another purpose of the same seed. */
  of(purpose: string): Chance {
    return new Chance(this.seed, `${this.purpose}/${purpose}`);
  }

  /** True in `share` of all cases. */
  happens(share: number): boolean {
    return this.fraction() < share;
  }

  pick<T>(among: readonly T[]): T {
    return among[this.below(among.length)] as T;
  }

  between(least: number, most: number): number {
    return least + this.below(most - least + 1);
  }

  /** One of the names, each as often as its weight says. */
  weighted<K extends string>(weights: Readonly<Record<K, number>>): K {
    const entries = Object.entries(weights) as [K, number][];
    let left = this.fraction() * entries.reduce((sum, [, weight]) => sum + weight, 0);
    for (const [name, weight] of entries) if ((left -= weight) < 0) return name;
    return (entries.at(-1) as [K, number])[0];
  }
}
