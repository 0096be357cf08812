// What must hold at every moment of a run: no session holds more than its bound, and none lives longer than its token.

import type { Breach } from '../../checker/facts.js';
import { OUTBOX_BYTES } from './settings.js';
import { WsLink } from './web-socket.js';
import type { World } from './world.js';

/** Milliseconds: deadlines are served in buckets of 200. */
const EXPIRY_MS = 500;
/** Steps between two looks. */
const EVERY = 8;
const MOST = 20;

export class Watch {
  readonly breaches: Breach[] = [];
  /** Until when something is planned to fail. */
  lastFault = 0;
  private turns = 0;

  constructor(private readonly world: World) {
    world.onFault = (text) => this.breach('error', text);
  }

  faultUntil(until: number): void {
    this.lastFault = Math.max(this.lastFault, until);
  }

  breach(rule: string, text: string): void {
    if (this.breaches.length < MOST)
      this.breaches.push({ rule, text, lines: [this.world.journal.entries.length] });
  }

  look(): void {
    if (++this.turns % EVERY !== 0) return;
    const { now } = this.world.schedule;
    for (const { core, name } of this.world.lives)
      for (const session of core.hub.all()) {
        const { waitingBytes, identity, ended, link } = session;
        // While the socket takes something the outbox is one batch, as large as one reply may be.
        if (link instanceof WsLink && link.full && waitingBytes - link.bufferedBytes > OUTBOX_BYTES)
          this.breach(
            'outbox',
            `${waitingBytes} bytes wait for a session of ${session.user ?? 'nobody'} on ${name}.`,
          );
        if (!ended && identity.expiresAt !== undefined && identity.expiresAt + EXPIRY_MS < now)
          this.breach('expiry', `A session of ${session.user ?? 'nobody'} on ${name} outlives its token.`);
      }
  }
}
