// The facade for operations: health, drain and figures of this instance, without its sessions or channels in hand.

import type { Core } from './core.js';
import type { CoreStats } from './stats.js';

export type { CoreStats } from './stats.js';

export class Operations {
  constructor(private readonly core: Core) {}

  get stats(): CoreStats {
    return this.core.stats;
  }

  get draining(): boolean {
    return this.core.draining;
  }

  /** False while publications cannot be taken. */
  healthy(): boolean {
    return this.core.healthy();
  }

  /** Takes nobody new and moves all sessions away within `windowMs`. Resolves when they are gone. */
  drain(windowMs: number): Promise<void> {
    return this.core.drain(windowMs);
  }

  counts(): { readonly sessions: number; readonly users: number; readonly channels: number } {
    const { hub } = this.core;
    return { sessions: hub.sessionCount, users: hub.userCount, channels: hub.channels().length };
  }

  /** Revocations that every login is checked against. */
  get revocations(): number {
    return this.core.revocations.size;
  }

  sessionsByTransport(): ReadonlyMap<string, number> {
    const counts = new Map<string, number>();
    for (const { link } of this.core.hub.all())
      counts.set(link.transport, (counts.get(link.transport) ?? 0) + 1);
    return counts;
  }
}
