// Revoked tokens of a cluster in one process, for nodes that start later. Knows no node; what tokens they mean is the core's matter.

import type { Revocation } from '../../core/ports/backplane.js';
import type { Clock } from '../../core/ports/time.js';

export class MemoryRevocations {
  private readonly kept = new Map<string, Revocation>();

  constructor(private readonly clock: Clock) {}

  add(revocation: Revocation): void {
    const { user, tokenId, before, until } = revocation;
    // Neither may contain a control character, so no two pairs make one name.
    const name = tokenId === undefined ? user : `${user}\n${tokenId}`;
    const known = this.kept.get(name) ?? revocation;
    const later = { before: Math.max(before, known.before), until: Math.max(until, known.until) };
    this.kept.set(name, { user, tokenId, ...later });
  }

  all(): readonly Revocation[] {
    this.sweep(this.clock.now());
    return [...this.kept.values()];
  }

  sweep(now: number): void {
    for (const [name, { until }] of this.kept) if (until <= now) this.kept.delete(name);
  }
}
