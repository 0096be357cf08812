// An even trickle of publishes from a thread of its own, written into the history by the clock of the run. Knows no fault.

import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import { TEST_API_KEY } from '../support/server.js';
import type { Instance } from './cluster.js';
import type { Answer } from './ledger.js';
import { PATIENCE_MS } from './post.js';
import { spreadOf, type Spread } from './report.js';
import type { Stage } from './stage.js';

/** Beyond the numbers of the ledger. */
const FIRST_OP = 1_000_000_000;

export interface ProbeData {
  readonly urls: readonly string[];
  readonly channels: readonly string[];
  readonly apiKey: string;
  readonly everyMs: number;
  readonly patienceMs: number;
  readonly firstOp: number;
}

/** One publish and its answer; the times are of `process.hrtime`, which all threads share. */
export interface Probed {
  readonly op: number;
  readonly channel: string;
  readonly sentAt: number;
  readonly answer: Answer | string | undefined;
  readonly t: number;
}

export class Probe {
  private readonly worker: Worker;
  private readonly times: { readonly sentAt: number; readonly ms: number }[] = [];

  constructor(
    private readonly stage: Stage,
    instances: readonly Instance[],
  ) {
    const { channels, settings } = stage;
    const workerData: ProbeData = {
      urls: instances.map(({ url }) => url),
      channels,
      apiKey: TEST_API_KEY,
      everyMs: 1000 / settings.rate,
      patienceMs: PATIENCE_MS,
      firstOp: FIRST_OP,
    };
    this.worker = new Worker(new URL('probe-thread.mjs', import.meta.url), { workerData });
    const toRun = stage.history.now() - Number(process.hrtime.bigint()) / 1e6;
    this.worker.on('message', (probed: Probed) =>
      this.note({ ...probed, sentAt: probed.sentAt + toRun, t: probed.t + toRun }),
    );
  }

  /** Of what was sent between two moments of the run. */
  spread(from: number, to: number): Spread {
    return spreadOf(this.times.filter(({ sentAt }) => sentAt >= from && sentAt < to).map(({ ms }) => ms));
  }

  /** Resolves when everything is answered and written down. */
  async stop(): Promise<void> {
    const ended = once(this.worker, 'exit');
    // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread has none
    this.worker.postMessage('stop');
    await ended;
  }

  private note({ op, channel, sentAt, answer, t }: Probed): void {
    const { ledger } = this.stage;
    const attempt = { op, n: 1, channel, key: undefined, sentAt };
    ledger.invoke(attempt, sentAt);
    const { ms } = ledger.settle(attempt, answer, t);
    this.times.push({ sentAt, ms });
  }
}
