// One waiting poll as a link of the core: the first batch with news, the end of the wait, or the end of its session answers it.

import type { Batch, Frame } from '../../core/batch.js';
import type { Link } from '../../core/ports/link.js';
import type { Session } from '../../core/session.js';

/** How a wait ended. `quiet`: nothing came. */
export type WaitOutcome =
  | { readonly type: 'news'; readonly frames: readonly Frame[] }
  | { readonly type: 'quiet' }
  | { readonly type: 'closed'; readonly code: number; readonly reason: string };

export class PollWaiter implements Link {
  readonly transport = 'polling';
  readonly bufferedBytes = 0;
  session: Session | undefined;
  readonly outcome: Promise<WaitOutcome>;
  private settle: (outcome: WaitOutcome) => void = () => {};

  constructor(
    /** A session that has lost one of them answers at once: the next poll hears why. */
    private readonly channels: number,
  ) {
    this.outcome = new Promise((resolve) => (this.settle = resolve));
  }

  write(batch: Batch): boolean {
    const frames = batch
      .frames()
      .filter(({ droppable, mark }) => droppable !== undefined || mark !== undefined);
    if (frames.length > 0) this.settle({ type: 'news', frames });
    else if ((this.session?.subscriptions.size ?? 0) < this.channels) this.settle({ type: 'quiet' });
    return true;
  }

  /** The time is over. */
  end(): void {
    this.settle({ type: 'quiet' });
  }

  close(code: number, reason: string): void {
    this.settle({ type: 'closed', code, reason });
  }

  pause(): void {}
  resume(): void {}

  custom(): undefined {
    return undefined;
  }
}
