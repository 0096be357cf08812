// A tab's end of the shared connection, as a transport: it finds the hub, hands frames to it, and ends when the hub does.
// Knows no channel.

import type { Off } from '../emitter.js';
import type { Cancel, Clock } from '../time.js';
import type { ClientFrame, Transport, TransportEvents } from '../transport.js';
import type { FromHub, TabBus } from './bus.js';
import { EchoFilter } from './echo-filter.js';
import { holdLock } from './locks.js';

/** Come back at once: nothing is wrong but the place. */
export const MOVED = 4202;
/** Milliseconds a hub has to answer a `hello`. It answers within one turn, so this one hangs. */
const HUB_LIMIT_MS = 5000;

export interface TabSessionOptions {
  readonly tab: string;
  readonly lock: string;
  readonly bus: TabBus;
  readonly clock: Clock;
  readonly events: TransportEvents;
  /** The page must not lead, nor ask, at the moment. */
  suspended(): boolean;
  /** There is a leader and it says nothing. */
  leaderHangs(): void;
  closed(session: TabSession): void;
}

export class TabSession implements Transport {
  #hub: string | undefined;
  #welcomed = false;
  #over = false;
  readonly #offs: Off[];
  #cancelWatch: Cancel | undefined;
  /** Its own lock is held: the hub can see by it that the tab is there. */
  #ready = false;
  readonly #filter: EchoFilter;
  readonly #options: TabSessionOptions;

  constructor(options: TabSessionOptions) {
    this.#options = options;
    this.#filter = new EchoFilter((frame) => {
      if (!this.#over) options.events.frame(frame);
    });
    this.#offs = [
      options.bus.listen((message) => this.#hear(message)),
      holdLock(options.lock, {
        granted: () => {
          this.#ready = true;
          this.hello();
        },
      }),
    ];
  }

  hello(): void {
    const options = this.#options;
    if (this.#over || !this.#ready || this.#hub !== undefined || options.suspended()) return;
    options.bus.post({ kind: 'hello', tab: options.tab });
    this.#cancelWatch ??= options.clock.after(HUB_LIMIT_MS, () => options.leaderHangs());
  }

  send(frame: ClientFrame): void {
    const { bus, tab } = this.#options;
    if (this.#hub !== undefined)
      bus.post({ kind: 'ask', tab, hub: this.#hub, frame: this.#filter.out(frame) });
  }

  close(): void {
    if (this.#over) return;
    this.#over = true;
    this.#cancelWatch?.();
    for (const off of this.#offs) off();
    this.#options.closed(this);
  }

  end(code: number, reason: string): void {
    if (this.#over) return;
    this.close();
    this.#options.events.end(code, reason);
  }

  #hear(message: FromHub): void {
    const { kind, hub } = message;
    if (kind === 'here') {
      if (this.#hub === undefined) this.hello();
      else if (this.#hub !== hub) this.end(MOVED, 'another tab leads now');
      return;
    }
    if (kind === 'up' || (this.#hub !== undefined && hub !== this.#hub)) return;
    if (message.tab !== undefined && message.tab !== this.#options.tab) return;
    if (kind === 'heard') {
      this.#hub = hub;
      this.#cancelWatch?.();
    } else if (this.#hub === undefined) return;
    else if (kind === 'end') this.end(message.code, message.reason);
    else if (message.tab !== undefined || this.#welcomed) {
      this.#welcomed ||= message.frame.event === 'welcome';
      this.#filter.in(message.frame);
    }
  }
}
