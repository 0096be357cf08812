// Keeps the people of a room up to date: joins and leaves come by themselves, counts of connections have to be asked for.

import type { Channel, Member } from 'trunkline-client';
import type { ChatEvents } from './chat-events.js';

/** Joins and leaves come once per person; a second window of the same person changes a count that nobody announces. */
const ASK_EVERY_MS = 15_000;
/** After a join or leave, with room for the ones that follow it closely. */
const ASK_SOON_MS = 400;

export class People {
  private readonly off: () => void;
  private timer: number | undefined;
  private stopped = false;

  constructor(
    private readonly channel: Channel<ChatEvents>,
    private readonly show: (members: readonly Member[]) => void,
  ) {
    this.off = channel.on('members', (members) => {
      this.show([...members.values()]);
      this.plan(ASK_SOON_MS);
    });
  }

  stop(): void {
    this.stopped = true;
    this.off();
    window.clearTimeout(this.timer);
  }

  private plan(delayMs: number): void {
    window.clearTimeout(this.timer);
    this.timer = window.setTimeout(() => void this.ask(), delayMs);
  }

  private async ask(): Promise<void> {
    // A hidden tab and a broken connection wait for their next turn.
    const members =
      this.channel.subscribed && !document.hidden
        ? await this.channel.presence().catch(() => undefined)
        : undefined;
    if (this.stopped) return;
    if (members !== undefined && this.channel.subscribed) this.show(members);
    this.plan(ASK_EVERY_MS);
  }
}
