// A fast ticker read through a line that is too slow for it: values are left out, each reader is told which, and the last one arrives.

import { WebSocket } from 'ws';
import { Trunkline, type Gap } from '../../client/src/index.js';
import { CALM, CATCH_UP_MS, HASTE, TRANSPORTS, type TransportName } from './bad-network.js';
import { ChaosProxy, type Fault } from './chaos-proxy.js';
import { startE2e, type E2eServer } from './e2e-server.js';
import { until } from './wait.js';

export interface TickerPlan {
  readonly seconds: number;
  readonly seed: number;
  /** Ticks a second, of 8 kB each: more than the line carries, so that buffers of the kernel fill soon. */
  readonly rate: number;
  /** What befalls the lines. Only a line that lasts fills its buffers, so that the server has to choose. */
  readonly faults?: readonly Fault[];
}

export interface TickerReport {
  readonly published: number;
  readonly readers: readonly {
    readonly name: string;
    readonly seen: number;
    readonly told: number;
    readonly reasons: readonly string[];
  }[];
}

const TICKER = 'ticker';
const RULE = {
  channel: TICKER,
  subscribe: 'anyone',
  publish: 'backend',
  history: { size: 1, ttl: '1h' },
  replayLast: true,
  overflow: 'conflate',
};
const PADDING = 'x'.repeat(8000);

/** What a reader was handed, in order: a value, or what was left out. */
type Step = { readonly type: 'value'; readonly offset: number } | { readonly type: 'gap'; readonly gap: Gap };

class TickerReader {
  readonly steps: Step[] = [];
  last = 0;
  private readonly client: Trunkline;

  constructor(
    readonly name: TransportName,
    url: string,
  ) {
    this.client = new Trunkline(url, { ...HASTE, transports: [name], webSocket: WebSocket, logger: CALM });
  }

  async open(): Promise<void> {
    const channel = this.client.channel(TICKER);
    channel.on('message', ({ offset = 0 }) => {
      this.steps.push({ type: 'value', offset });
      this.last = offset;
    });
    channel.on('gap', (gap) => void this.steps.push({ type: 'gap', gap }));
    await channel.subscribe();
  }

  close(): void {
    this.client.close();
  }

  /** Throws at a value that came twice or in the wrong order, and at one that is missing and was not told. */
  check(top: number): { seen: number; told: number; reasons: string[] } {
    let at = 0;
    let seen = 0;
    const told = new Set<number>();
    const reasons = new Set<string>();
    for (const step of this.steps) {
      if (step.type === 'gap') {
        for (let offset = step.gap.from; offset <= step.gap.to; offset++) told.add(offset);
        reasons.add(step.gap.reason);
        continue;
      }
      if (step.offset <= at) throw new Error(`${this.name} saw ${step.offset} after ${at}.`);
      for (let missing = at + 1; missing < step.offset; missing++)
        if (!told.has(missing)) throw new Error(`${this.name} was not told that ${missing} is missing.`);
      if (told.has(step.offset)) throw new Error(`${this.name} saw ${step.offset}, told as left out.`);
      at = step.offset;
      seen++;
    }
    if (at !== top) throw new Error(`${this.name} ended at ${at}; the top is ${top}.`);
    return { seen, told: told.size, reasons: [...reasons].sort() };
  }
}

export async function tickerThroughSlowLine({
  seconds,
  seed,
  rate,
  faults = ['throttle'],
}: TickerPlan): Promise<TickerReport> {
  const server = await startE2e({ rules: [RULE], env: { TRUNKLINE_OUTBOX_BYTES: '262144' } });
  const lifeMs = (seconds + 60) * 1000 + CATCH_UP_MS;
  const rates = [40_000, 120_000] as const;
  const proxy = await ChaosProxy.start({ target: server.port, seed, faults, rate: rates, lifeMs });
  const readers = TRANSPORTS.map((name) => new TickerReader(name, proxy.url));
  try {
    proxy.heal();
    await Promise.all(readers.map((reader) => reader.open()));
    proxy.unsettle();
    proxy.killAll();
    const top = await publish(server, seconds, rate);
    proxy.heal();
    await until(() => readers.every(({ last }) => last === top), 'the last value', CATCH_UP_MS);
    return {
      published: top,
      readers: readers.map((reader) => ({ name: reader.name, ...reader.check(top) })),
    };
  } finally {
    for (const reader of readers) reader.close();
    await proxy.close();
    await server.close();
  }
}

async function publish(server: E2eServer, seconds: number, rate: number): Promise<number> {
  const begin = performance.now();
  let count = 0;
  for (;;) {
    const elapsed = performance.now() - begin;
    if (elapsed >= seconds * 1000) return count;
    const due = Math.floor((elapsed / 1000) * rate);
    for (; count < due; count++)
      await server.realtime.publish(TICKER, 'tick', { price: count, pad: PADDING });
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}
