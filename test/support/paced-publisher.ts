// A publisher of some thousand messages a second at most: a busy machine must not let more pass between two looks than one resume gives.

import type { RealtimeService } from '../../src/core/realtime.service.js';

/** Publications between two pauses of 1 ms. */
const BURST = 3;

export class PacedPublisher {
  private on = true;
  private readonly done: Promise<number>;

  /** Publishes the numbers 1, 2, 3 … until stopped. */
  constructor(
    private readonly realtime: RealtimeService,
    private readonly channel: string,
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
      for (let n = 0; n < BURST; n++) await this.realtime.publish(this.channel, 'tick', ++count);
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
    return count;
  }
}
