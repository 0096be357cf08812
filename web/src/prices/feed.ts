// The board's connection: all symbols over the one transport that was chosen. Knows the client; draws nothing.

import { Trunkline, type Gap, type StateChange } from 'trunkline-client';
import { isTrunklineError } from '../sentences.js';
import { only, type TransportName } from '../transports.js';

interface PriceEvents {
  readonly tick: { readonly price: number };
}

export interface Tick {
  readonly symbol: string;
  readonly price: number;
  /** By the server's clock. */
  readonly time: number;
}

export interface FeedListener {
  tick(tick: Tick): void;
  gap(symbol: string, gap: Gap): void;
  state(change: StateChange): void;
  refused(symbol: string, error: Error): void;
}

export class Feed {
  private readonly trunkline: Trunkline;

  constructor(
    transport: TransportName,
    symbols: readonly string[],
    private readonly listener: FeedListener,
  ) {
    this.trunkline = new Trunkline('', only(transport));
    this.trunkline.on('state', (change) => listener.state(change));
    this.trunkline.on('error', (error) => {
      // What passes by itself shows as the state; what is left is a fault of this page.
      if (!isTrunklineError(error)) reportError(error);
    });
    for (const symbol of symbols) this.watch(symbol);
  }

  connect(): void {
    this.trunkline.connect();
  }

  close(): void {
    this.trunkline.close();
  }

  private watch(symbol: string): void {
    const channel = this.trunkline.channel<PriceEvents>(`prices:${symbol}`);
    channel.onEvent('tick', (data, { time }) => {
      const price = priceOf(data);
      if (price !== undefined) this.listener.tick({ symbol, price, time });
    });
    channel.on('gap', (gap) => this.listener.gap(symbol, gap));
    channel.on('unsubscribed', (error) => this.listener.refused(symbol, error));
    // A refusal comes as the event `unsubscribed`, the end of the connection as a state.
    channel.subscribe().catch(() => undefined);
  }
}

/** The type says a number; a channel may carry what others put in by other ways. */
function priceOf(data: unknown): number | undefined {
  if (typeof data !== 'object' || data === null || !('price' in data)) return undefined;
  return typeof data.price === 'number' && Number.isFinite(data.price) ? data.price : undefined;
}
