// Own messages on their way: shown at once, pale until the server has them, slower when it asks, and a second try when it refuses.

import type { Channel, Message, Published } from 'trunkline-client';
import type { ChatEvents } from './chat-events.js';
import type { Composer } from './composer.js';
import type { MessageList } from './messages.js';
import { isRateLimit, problemSentence } from './sentences.js';
import type { MessageEntry } from './timeline.js';

export interface OutgoingOptions {
  readonly channel: Channel<ChatEvents>;
  readonly me: { readonly user: string; readonly name: string };
  readonly composer: Composer;
  readonly messages: MessageList;
}

/** Waits that the server asks for in a row before a message counts as failed. */
const MAX_WAITS = 5;
/** When the server names no time. */
const WAIT_MS = 1000;
const NOTICE_MS = 4000;

export class Outgoing {
  /** Each message keeps its key over all its tries, so that a second try can never make it appear twice. */
  private readonly keys = new WeakMap<MessageEntry, string>();
  /** Over the rate: these go by themselves, one at a time and in order, and later ones line up behind them. */
  private readonly queue: MessageEntry[] = [];
  private waits = 0;
  private timer: number | undefined;

  constructor(private readonly options: OutgoingOptions) {}

  send(text: string): void {
    const { me, messages } = this.options;
    const entry: MessageEntry = {
      kind: 'message',
      id: undefined,
      offset: undefined,
      era: messages.timeline.era,
      status: 'pending',
      time: Date.now(),
      user: me.user,
      name: me.name,
      text,
      own: true,
    };
    this.keys.set(entry, randomKey());
    messages.add(entry);
    this.dispatch(entry);
  }

  retry(entry: MessageEntry): void {
    entry.status = 'pending';
    this.waits = 0;
    this.options.messages.update(entry);
    this.dispatch(entry);
  }

  discard(entry: MessageEntry): void {
    this.options.messages.remove(entry);
    this.options.composer.focus();
  }

  /** Takes a live copy of an own message that may have come before its reply. False: it is none that is waited for. */
  takeCopy(message: Message, text: string): boolean {
    const entry = this.options.messages.timeline.unsentWith(text);
    if (entry === undefined) return false;
    this.settle(entry, message);
    return true;
  }

  private dispatch(entry: MessageEntry): void {
    if (this.queue.length > 0) this.line(entry);
    else void this.deliver(entry);
  }

  private async deliver(entry: MessageEntry): Promise<void> {
    const idempotencyKey = this.keys.get(entry) ?? randomKey();
    try {
      const published = await this.options.channel.publish(
        'message',
        { text: entry.text },
        { idempotencyKey },
      );
      this.settle(entry, published);
      this.waits = 0;
    } catch (error) {
      if (isRateLimit(error) && this.waits < MAX_WAITS) this.slowDown(entry, error.retryAfterMs ?? WAIT_MS);
      else this.fail(entry, error);
    }
  }

  private slowDown(entry: MessageEntry, waitMs: number): void {
    this.line(entry);
    if (this.timer !== undefined) return;
    this.waits++;
    this.timer = window.setTimeout(() => void this.drain(), waitMs);
    const text = 'That was quick! The server takes a few messages at a time; the rest follows by itself.';
    this.options.composer.showNotice(text, Math.max(waitMs, NOTICE_MS));
  }

  private line(entry: MessageEntry): void {
    this.queue.push(entry);
    // Refusals may come back in any order.
    this.queue.sort((a, b) => a.time - b.time);
    this.options.messages.update(entry, 'Waiting its turn…');
  }

  private async drain(): Promise<void> {
    this.timer = undefined;
    for (let entry = this.queue.shift(); entry !== undefined; entry = this.queue.shift()) {
      await this.deliver(entry);
      if (this.timer !== undefined) return;
    }
  }

  private settle(entry: MessageEntry, position: Pick<Message | Published, 'id' | 'offset'>): void {
    const { messages } = this.options;
    if (entry.status === 'sent') return;
    if (messages.timeline.has(position.id)) return messages.remove(entry);
    entry.id = position.id;
    entry.offset = position.offset;
    entry.era = messages.timeline.era;
    entry.status = 'sent';
    messages.update(entry);
  }

  private fail(entry: MessageEntry, error: unknown): void {
    if (entry.status === 'sent') return;
    entry.status = 'failed';
    this.options.messages.update(entry, problemSentence(error));
  }
}

function randomKey(): string {
  // randomUUID() exists on https and localhost only.
  return Array.from(crypto.getRandomValues(new Uint32Array(4)), (part) => part.toString(36)).join('-');
}
