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
      if (count % BURST === 0) await new Promise((resolve) => setImmediate(resolve));
    }
    return count;
  }
}
