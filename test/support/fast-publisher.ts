// A publisher that does not rest: some thousand publications a second, so that whoever comes and goes does it in the midst of them.

import type { RealtimeService } from '../../src/core/realtime.service.js';

/** Publications in one turn of the event loop. */
const BURST = 3;

export class FastPublisher {
  private on = true;
  private readonly done: Promise<number>;

  /** Publishes the numbers 1, 2, 3 … until stopped. */
  constructor(
    private readonly realtime: RealtimeService,
    private readonly channel: string,
    /** Milliseconds between two bursts. 0: one turn of the event loop. */
    private readonly pauseMs = 0,
  ) {
    this.done = this.run();
  }

  /** Resolves with how many it was. */
  stop(): Promise<number> {
    this.on = false;
    return this.done;
  }

  private async run(): Promise<number> {
    let count = 0;
    while (this.on) {
      await this.realtime.publish(this.channel, 'tick', ++count);
      if (count % BURST === 0) await this.rest();
    }
    return count;
  }

  private rest(): Promise<void> {
    const { pauseMs } = this;
    return new Promise((resolve) => (pauseMs > 0 ? setTimeout(resolve, pauseMs) : setImmediate(resolve)));
  }
}

/** One that lets a busy machine not fall behind by more than one resume gives. */
export function pacedPublisher(realtime: RealtimeService, channel: string): FastPublisher {
  return new FastPublisher(realtime, channel, 1);
}
