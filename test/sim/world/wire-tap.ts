// Reads along on one WebSocket and writes down what the server itself told, before the client has put right whatever it can put right.

import type { Journal } from './journal.js';
import { Track } from './journal.js';
import type { Tap } from './web-socket.js';

interface Frame {
  readonly event: string;
  readonly id?: number;
  readonly data: {
    readonly channel: string;
    readonly since?: Place;
    readonly epoch: string;
    readonly offset: number;
    readonly to: number;
    readonly recovered?: boolean;
    readonly reason?: string;
    readonly messages?: readonly Seen[];
  };
}

interface Place {
  readonly epoch: string;
  readonly offset: number;
}

interface Seen {
  readonly offset?: number;
  readonly id: string;
  readonly data: unknown;
}

const ASKED = /^\{"event":"(?:un)?subscribe"/;

export class WireTap implements Tap {
  private readonly track: Track;
  private readonly asked = new Map<number, Frame>();

  constructor(name: string, journal: Journal) {
    this.track = new Track(name, journal);
  }

  sent(text: string): void {
    if (!ASKED.test(text)) return;
    const frame = JSON.parse(text) as Frame;
    if (frame.id !== undefined) this.asked.set(frame.id, frame);
  }

  came(text: string): void {
    const { event, id, data } = JSON.parse(text) as Frame;
    const { track } = this;
    const question = event === 'ok' ? this.asked.get(id ?? 0) : undefined;
    if (question?.event === 'subscribe') this.entered(data, question.data.since);
    else if (question?.event === 'unsubscribe' || event === 'unsubscribed') track.leave(data.channel);
    else if (event === 'subscribed') this.entered(data, undefined);
    else if (event === 'message') track.message(data.channel, data as unknown as Seen);
    else if (event === 'gap') track.gap(data.channel, data as { epoch: string; to: number; reason: string });
  }

  ended(): void {
    this.track.leaveAll();
  }

  private entered(
    { channel, epoch, offset, recovered, reason, messages = [] }: Frame['data'],
    since?: Place,
  ): void {
    const { track } = this;
    if (since !== undefined && recovered === true) {
      track.begin(channel, since.epoch, since.offset);
      for (const message of messages) track.message(channel, message, epoch);
    } else track.begin(channel, epoch, offset, reason);
  }
}
