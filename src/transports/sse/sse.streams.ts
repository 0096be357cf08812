// The open streams of this instance: heartbeat, longest life, and the end of all when the module goes.

import { Inject, Injectable, type OnModuleDestroy } from '@nestjs/common';
import { Core } from '../../core/core.js';
import { Deadlines } from '../../core/deadlines.js';
import { Heartbeat } from '../../core/heartbeat.js';
import type { Clock, Random } from '../../core/ports/time.js';
import { CLOCK, RANDOM } from '../../core/tokens.js';
import { CLOSE } from '../../protocol/codes.js';
import type { SseOptions } from './sse.options.js';
import type { SseStream, StreamOwner } from './sse.stream.js';
import { SSE_OPTIONS } from './sse.tokens.js';

/** Streams that came in one storm shall not all come back in another. */
const LIFE_JITTER = 0.1;

@Injectable()
export class SseStreams implements StreamOwner, OnModuleDestroy {
  private readonly open = new Set<SseStream>();
  private readonly heartbeat: Heartbeat<SseStream>;
  private readonly lives: Deadlines<SseStream>;

  constructor(
    @Inject(Core) private readonly core: Core,
    @Inject(SSE_OPTIONS) private readonly options: SseOptions,
    @Inject(CLOCK) readonly clock: Clock,
    @Inject(RANDOM) private readonly random: Random,
  ) {
    this.heartbeat = new Heartbeat(clock, options.heartbeatMs);
    this.lives = new Deadlines(clock, (stream) => this.retire(stream));
  }

  get closeTimeoutMs(): number {
    return this.options.closeTimeoutMs;
  }

  /** Milliseconds a native EventSource of this stream shall wait before it comes back. */
  retryMs(): number {
    return Math.round(this.options.retryMs * (1 + this.random.fraction()));
  }

  keep(stream: SseStream): void {
    this.open.add(stream);
    this.heartbeat.add(stream);
    const life = this.options.maxStreamMs * (1 - LIFE_JITTER * this.random.fraction());
    this.lives.set(stream, this.clock.now() + life);
  }

  forget(stream: SseStream): void {
    this.open.delete(stream);
    this.heartbeat.remove(stream);
    this.lives.clear(stream);
  }

  private retire({ session }: SseStream): void {
    session?.push({ type: 'reconnect', afterMs: 0, reason: 'longest life of a stream' });
    session?.close(CLOSE.moved);
  }

  /** An open stream would keep the HTTP server from closing. */
  onModuleDestroy(): void {
    this.core.draining = true;
    this.heartbeat.stop();
    this.lives.stop();
    for (const { session } of [...this.open]) session?.close(CLOSE.goingAway);
  }
}
