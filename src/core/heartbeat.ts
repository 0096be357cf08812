// Pings every connection once a period, spread over it in slots, and ends those that did not answer the last one.

import type { Cancel, Clock } from './ports/time.js';

export interface Beating {
  alive: boolean;
  ping(): void;
  /** Ends the connection: no pong for one whole period. */
  lost(): void;
}

/** Slots of a period: ten thousand pings at once would block the loop for a while. */
const SLOTS = 20;

export class Heartbeat<T extends Beating> {
  private readonly slots: Set<T>[] = Array.from({ length: SLOTS }, () => new Set<T>());
  private readonly slotOf = new Map<T, Set<T>>();
  private turn = 0;
  private joinAt = 0;
  private cancel: Cancel | undefined;
  private stopped = false;

  constructor(
    private readonly clock: Clock,
    private readonly periodMs: number,
  ) {}

  add(peer: T): void {
    const slot = this.slots[this.joinAt++ % SLOTS] as Set<T>;
    slot.add(peer);
    this.slotOf.set(peer, slot);
    if (this.cancel === undefined && !this.stopped) this.schedule();
  }

  remove(peer: T): void {
    this.slotOf.get(peer)?.delete(peer);
    this.slotOf.delete(peer);
  }

  stop(): void {
    this.stopped = true;
    this.cancel?.();
  }

  private schedule(): void {
    this.cancel = this.clock.after(this.periodMs / SLOTS, () => {
      this.cancel = undefined;
      this.beat(this.slots[this.turn++ % SLOTS] as Set<T>);
      if (this.slotOf.size > 0 && !this.stopped) this.schedule();
    });
  }

  private beat(slot: Set<T>): void {
    for (const peer of [...slot]) {
      if (!peer.alive) {
        peer.lost();
        continue;
      }
      peer.alive = false;
      peer.ping();
    }
  }
}
