// A user of the client: subscribes once and lets the client do the rest. Knows no wire.

import { Trunkline, type Channel, type TransportName } from '../../client/src/index.js';
import type { SeededRandom } from '../support/seeded-random.js';
import type { Instance } from './cluster.js';
import { FRONT_URL, frontOf } from './front.js';
import type { ChaosReader, Track } from './track.js';

/** Waits short enough for a test; the shapes are those of production. */
export const HASTE = { minDelayMs: 50, maxDelayMs: 1000, stableAfterMs: 2000, requestTimeoutMs: 5000 };

export interface SdkOptions {
  readonly track: Track;
  readonly channels: readonly string[];
  readonly transport: TransportName;
  readonly random: SeededRandom;
  /** `HASTE` when left out. */
  readonly waits?: typeof HASTE;
  /** Where the next connection goes. */
  readonly pick: () => Instance;
}

export class SdkReader implements ChaosReader {
  readonly track: Track;
  readonly channels: readonly string[];
  readonly client: Trunkline;
  connections = 0;
  /** When it was subscribed anew to its first channel, by `performance.now()`. */
  onReturn: (() => void) | undefined;

  constructor(private readonly options: SdkOptions) {
    const { track, channels, transport, random, pick, waits = HASTE } = options;
    this.track = track;
    this.channels = channels;
    this.client = new Trunkline(FRONT_URL, {
      ...waits,
      ...frontOf(pick),
      transports: [transport],
      pollSeconds: 5,
      token: () => pick().token(track.name),
      random: () => random.fraction(),
      logger: { warn: () => {} },
    });
    this.client.on('error', () => {});
    this.client.on('state', ({ state, reason, code }) => {
      if (state === 'connected') this.connections++;
      track.note(`${state}${code === undefined ? '' : ` ${code}`}: ${reason}`);
    });
  }

  async start(): Promise<void> {
    await Promise.all(this.channels.map((name) => this.#enter(name)));
  }

  stop(): void {
    this.client.close();
    for (const channel of this.channels) this.track.leave(channel);
  }

  async #enter(name: string): Promise<void> {
    const { track } = this.options;
    const channel: Channel = this.client.channel(name);
    let begun = false;
    channel.on('subscribed', ({ epoch, offset, id }) => {
      if (!begun) track.begin(name, { epoch, offset, id });
      else if (name === this.channels[0]) this.onReturn?.();
      begun = true;
    });
    channel.on('gap', ({ epoch, to, reason }) => {
      const { position } = channel;
      const offset = position?.epoch === epoch ? Math.max(to, position.offset) : to;
      track.begin(name, { epoch, offset, id: '' }, reason);
    });
    channel.on('message', (message) => track.message(name, message, channel.position?.epoch));
    channel.on('unsubscribed', (error) => track.note(`is out of ${name}: ${error.code}`));
    await channel.subscribe();
  }
}
