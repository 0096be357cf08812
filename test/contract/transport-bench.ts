// The server under the transport contract, with one family of channels per rule that a transport could break. Knows no transport.

import { startE2e, type E2eServer } from '../support/e2e-server.js';
import type { OpenOptions, Reader, TransportAdapter } from '../support/transport-reader.js';

const history = { size: 50, ttl: '1m' };

/** Publications that `small` keeps, and the most bytes that one resume gives. */
export const SMALL_SIZE = 10;
export const OUTBOX_BYTES = 300_000;
/** Readers of a crowd. */
export const CROWD = 20;
/** Largest payload that `room` takes, in bytes of its text. */
export const ROOM_BYTES = 65_536;

export const RULES = [
  { channel: 'room:{name}', history, ephemeral: ['typing'], presence: true, maxBytes: ROOM_BYTES },
  { channel: 'small:{name}', history: { size: SMALL_SIZE, ttl: '1m' } },
  { channel: 'large:{name}', history: { size: 6000, ttl: '1m' }, maxBytes: ROOM_BYTES },
  { channel: 'brief:{name}', history: { size: 10, ttl: 300 } },
  { channel: 'last:{name}', history, replayLast: true },
  { channel: 'open:{name}', subscribe: 'anyone', history },
  { channel: 'team:{name}', subscribe: 'capability', history },
  { channel: 'plain:{name}' },
  { channel: 'inbox:{name}', subscribe: 'nobody', publish: 'backend', history },
  ...(['drop-oldest', 'drop-newest', 'conflate'] as const).map((overflow) => ({
    channel: `${overflow}:{name}`,
    overflow,
    history: { size: 2000, ttl: '1m' },
    maxBytes: ROOM_BYTES,
  })),
];

let count = 0;

export class TransportBench {
  private constructor(
    readonly server: E2eServer,
    readonly adapter: TransportAdapter,
  ) {}

  static async start(adapter: TransportAdapter, env: Record<string, string> = {}): Promise<TransportBench> {
    const server = await startE2e({
      rules: RULES,
      env: { TRUNKLINE_OUTBOX_BYTES: String(OUTBOX_BYTES), ...env },
    });
    return new TransportBench(server, adapter);
  }

  end(): Promise<void> {
    return this.server.close();
  }

  /** A name that no other test has used. */
  channel(family = 'room'): string {
    return `${family}:c${++count}`;
  }

  /** Opens as ana, unless the options say otherwise. */
  open(
    channels: string | readonly string[],
    options: OpenOptions = {},
    adapter = this.adapter,
  ): Promise<Reader> {
    return adapter.open(this.server, [channels].flat(), { user: 'ana', ...options });
  }

  /** Readers of one channel, each of a user of its own. */
  crowd(channel: string): Promise<readonly Reader[]> {
    const users = Array.from({ length: CROWD }, (_, i) => `user-${i}`);
    return Promise.all(users.map((user) => this.open(channel, { user })));
  }

  /** Publishes the payloads in order. */
  async publish(channel: string, ...payloads: readonly unknown[]): Promise<void> {
    for (const data of payloads) await this.server.realtime.publish(channel, 'tick', data);
  }
}

export const from = (first: number, last: number): readonly number[] =>
  Array.from({ length: last - first + 1 }, (_, i) => first + i);
