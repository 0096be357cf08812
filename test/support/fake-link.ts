// A transport in memory: keeps what was written, can be full, can be closed. Knows the port of core and nothing behind it.

import type { Batch } from '../../src/core/batch.js';
import type { Link } from '../../src/core/ports/link.js';
import { readFrames, type WireFrame } from './json-format.js';

export class FakeLink implements Link {
  readonly transport = 'test';
  readonly writes: Buffer[] = [];
  bufferedBytes = 0;
  paused = false;
  closed: { readonly code: number; readonly reason: string } | undefined;
  /** Answers of a team's own event handlers, by event. */
  readonly handlers = new Map<string, (data: string) => Promise<string>>();
  private accepts = true;
  private full = false;

  /** From now on each write fills it. */
  block(): void {
    this.accepts = false;
  }

  /** Takes bytes again, `times` writes or for good; tell the session `drained()` afterwards. */
  unblock(times = Infinity): void {
    this.accepts = true;
    this.full = false;
    this.bufferedBytes = 0;
    this.left = times;
  }

  private left = Infinity;

  write(batch: Batch): boolean {
    const bytes = batch.bytes();
    if (this.full) throw new Error('A full link was written to before it was drained.');
    if (this.closed !== undefined) throw new Error('A closed link was written to.');
    this.writes.push(bytes);
    if (this.accepts && --this.left > 0) return true;
    this.accepts = false;
    this.full = true;
    this.bufferedBytes += bytes.length;
    return false;
  }

  pause(): void {
    this.paused = true;
  }

  resume(): void {
    this.paused = false;
  }

  custom(event: string, data: string): Promise<string> | undefined {
    return this.handlers.get(event)?.(data);
  }

  close(code: number, reason: string): void {
    this.closed = { code, reason };
  }

  get frames(): WireFrame[] {
    return readFrames(Buffer.concat(this.writes));
  }
}
