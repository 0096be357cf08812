// Core's side of a backplane in tests: keeps what it hears in order and lets a test wait for more. Knows no backplane.

import type {
  BackplaneListener,
  ControlMessage,
  Delivery,
  PresenceEvent,
  Revocation,
} from '../../src/core/ports/backplane.js';
import type { Publication } from '../../src/protocol/publication.js';

/** Longest wait for one event, in ms. In memory it takes none, over a network a few; the rest is for a busy machine. */
const WAIT_LIMIT_MS = 5000;

export interface Heard extends Delivery {
  readonly channel: string;
  readonly epoch: string;
}

export interface HeardPresence extends PresenceEvent {
  readonly channel: string;
}

export class RecordingListener implements BackplaneListener {
  readonly deliveries: Heard[] = [];
  readonly presence: HeardPresence[] = [];
  readonly control: ControlMessage[] = [];
  readonly revocations: Revocation[] = [];
  readonly suspects: (readonly string[] | 'all')[] = [];
  /** What it says to a question. */
  says: unknown;
  private readonly looks = new Set<() => void>();

  onPublication(channel: string, epoch: string, delivery: Delivery): void {
    this.deliveries.push({ channel, epoch, ...delivery });
    this.wake();
  }

  onPresence(channel: string, event: PresenceEvent): void {
    this.presence.push({ channel, ...event });
    this.wake();
  }

  answer(): unknown {
    return this.says;
  }

  onControl(message: ControlMessage): void {
    this.control.push(message);
    this.wake();
  }

  onRevocations(revocations: readonly Revocation[]): void {
    this.revocations.push(...revocations);
    this.wake();
  }

  onSuspect(channels: readonly string[] | 'all'): void {
    this.suspects.push(channels);
    this.wake();
  }

  /** Publications of one channel, in the order heard. */
  of(channel: string): readonly Publication[] {
    return this.deliveries.filter((heard) => heard.channel === channel).map((heard) => heard.publication);
  }

  offsets(channel: string): readonly number[] {
    return this.of(channel).map((publication) => publication.offset);
  }

  /** Joins and leaves of one channel as `join ana`. */
  moves(channel: string): readonly string[] {
    return this.presence
      .filter((heard) => heard.channel === channel)
      .map(({ type, member }) => `${type} ${member.user}`);
  }

  /** Resolves as soon as `ready` says yes, which is asked after each thing heard. */
  until(what: string, ready: () => boolean): Promise<void> {
    if (ready()) return Promise.resolve();
    return new Promise((resolve, reject) => {
      const settle = (): void => {
        clearTimeout(timer);
        this.looks.delete(look);
      };
      const look = (): void => {
        if (!ready()) return;
        settle();
        resolve();
      };
      const timer = setTimeout(() => {
        settle();
        reject(new Error(`Not heard within ${WAIT_LIMIT_MS} ms: ${what}. Heard: ${this.story()}`));
      }, WAIT_LIMIT_MS);
      this.looks.add(look);
    });
  }

  private wake(): void {
    for (const look of [...this.looks]) look();
  }

  private story(): string {
    const last = this.deliveries.slice(-20).map((heard) => `${heard.channel}#${heard.publication.offset}`);
    return JSON.stringify({ last, presence: this.presence.slice(-5), control: this.control.slice(-5) });
  }
}
