// A user as a crowd has thousands of: one socket, one channel, the waits of the client and next to nothing else. Knows no other wire.

import { WebSocket } from 'ws';
import { backoffDelay } from '../../client/src/backoff.js';
import type { SeededRandom } from '../support/seeded-random.js';
import type { Frame } from '../support/ws-client.js';
import type { Instance } from './cluster.js';
import type { ChaosReader, Track } from './track.js';
import { enter, gap } from './wires.js';

export interface LightOptions {
  readonly track: Track;
  readonly channel: string;
  readonly random: SeededRandom;
  readonly waits: {
    readonly minDelayMs: number;
    readonly maxDelayMs: number;
    readonly stableAfterMs: number;
    readonly requestTimeoutMs: number;
  };
  /** Where the next connection goes. */
  readonly pick: () => Instance;
}

export class LightReader implements ChaosReader {
  readonly track: Track;
  readonly channels: readonly string[];
  connections = 0;
  /** When it was subscribed anew. */
  onReturn: (() => void) | undefined;
  private socket: WebSocket | undefined;
  private timer: NodeJS.Timeout | undefined;
  private subscribedAt = Infinity;
  private failures = 0;
  private stopped = false;
  /** Signed once: thousands of signatures in one second would be seen in the times. */
  private token: string | undefined;
  private started: (() => void) | undefined;

  constructor(private readonly options: LightOptions) {
    this.track = options.track;
    this.channels = [options.channel];
  }

  start(): Promise<void> {
    return new Promise((resolve) => {
      this.started = resolve;
      this.open();
    });
  }

  stop(): void {
    this.stopped = true;
    clearTimeout(this.timer);
    this.socket?.terminate();
    this.track.leave(this.options.channel);
  }

  private open(): void {
    const { pick, track, channel, waits } = this.options;
    const instance = pick();
    this.token ??= instance.token(track.name);
    const socket = new WebSocket(instance.wsUrl, ['trunkline.v1'], {
      headers: { authorization: `Bearer ${this.token}` },
      handshakeTimeout: waits.requestTimeoutMs,
      perMessageDeflate: false,
    });
    this.socket = socket;
    socket.on('open', () => {
      const since = track.positions.get(channel);
      socket.send(JSON.stringify({ event: 'subscribe', id: 1, data: { channel, since } }));
      this.timer = setTimeout(() => socket.terminate(), waits.requestTimeoutMs);
    });
    socket.on('message', (data) => this.hear(JSON.parse((data as Buffer).toString()) as Frame));
    // An error is followed by `close`.
    socket.on('error', () => {});
    socket.once('close', (code) => this.again(code));
  }

  private hear({ event, id, data }: Frame): void {
    const { track, channel } = this.options;
    if (this.stopped) return;
    if (event === 'message') track.message(channel, data);
    else if (event === 'gap') gap(track, data);
    else if (event === 'ok' && id === 1) {
      clearTimeout(this.timer);
      enter(track, channel, data);
      for (const message of data.messages) track.message(channel, message);
      this.subscribedAt = performance.now();
      this.connections++;
      if (this.started === undefined) this.onReturn?.();
      this.started?.();
      this.started = undefined;
    } else if (event === 'error' || event === 'unsubscribed') this.socket?.terminate();
  }

  /** As the client does after any end it was not told of before. */
  private again(code: number): void {
    clearTimeout(this.timer);
    if (this.stopped) return;
    const { track, random, waits } = this.options;
    track.note(`closed ${code}`);
    if (performance.now() - this.subscribedAt >= waits.stableAfterMs) this.failures = 0;
    this.subscribedAt = Infinity;
    const delay = backoffDelay(++this.failures, { ...waits, random: () => random.fraction() });
    this.timer = setTimeout(() => this.open(), delay);
  }
}
