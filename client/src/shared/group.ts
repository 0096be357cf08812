// The tabs of one person at one server: in each of them one of these, of which one leads. Knows locks and the life of a page, no frame.

import type { Off } from '../emitter.js';
import type { TrunklineOptions } from '../options.js';
import { randomKey, SYSTEM_CLOCK, SYSTEM_RANDOM } from '../time.js';
import type { Transport, TransportEvents } from '../transport.js';
import { openBus, type FromHub, type FromTab, type TabBus } from './bus.js';
import { Hub } from './hub.js';
import { holdLock, whenFree } from './locks.js';
import { MOVED, TabSession } from './tab-session.js';

export interface GroupOptions {
  /** The same in all tabs of the group. */
  readonly name: string;
  readonly url: string;
  /** Of the real connection, when this tab leads. */
  readonly connection: TrunklineOptions;
  /** The leader's session is open again. */
  up(): void;
}

export class Group {
  readonly #bus: TabBus;
  readonly #sessions = new Set<TabSession>();
  #hub: Hub | undefined;
  #letGo: Off | undefined;
  #suspended = false;
  readonly #offs: Off[];
  readonly #options: GroupOptions;

  constructor(options: GroupOptions) {
    this.#options = options;
    this.#bus = openBus<FromTab, FromHub>(options.name, 'tab');
    const suspend = (): void => this.#suspend();
    const resume = (): void => this.#resume();
    this.#offs = [
      this.#bus.listen(({ kind }) => {
        if (kind === 'up') options.up();
      }),
      heard(globalThis, 'pagehide', suspend),
      heard(globalThis, 'pageshow', resume),
      heard(document, 'freeze', suspend),
      heard(document, 'resume', resume),
    ];
    this.#stand();
  }

  open(events: TransportEvents): Transport {
    const { name, connection } = this.#options;
    const { clock = SYSTEM_CLOCK, random = SYSTEM_RANDOM } = connection;
    const tab = randomKey(random);
    const session = new TabSession({
      tab,
      lock: tabLock(name, tab),
      bus: this.#bus,
      clock,
      events,
      suspended: () => this.#suspended,
      leaderHangs: () => this.#stand(true),
      closed: (over) => this.#sessions.delete(over),
    });
    this.#sessions.add(session);
    return session;
  }

  leave(): void {
    for (const off of this.#offs) off();
    this.#stepDown();
    for (const session of [...this.#sessions]) session.end(MOVED, 'this tab has left');
    this.#bus.close();
  }

  /** Leads as soon as nobody else does. `steal`: at once, since the one who leads does not answer. */
  #stand(steal = false): void {
    const { name, url, connection } = this.#options;
    if (this.#hub !== undefined || this.#suspended) return;
    this.#letGo?.();
    this.#letGo = holdLock(
      `${name} leader`,
      {
        granted: () => {
          this.#hub = new Hub({
            id: randomKey(connection.random ?? SYSTEM_RANDOM),
            url,
            bus: openBus(name, 'hub'),
            connection,
            whenGone: (tab, run) => whenFree(tabLock(name, tab), run),
          });
        },
        stolen: () => {
          this.#stepDown();
          this.#stand();
        },
      },
      steal,
    );
  }

  #stepDown(): void {
    this.#hub?.close();
    this.#hub = undefined;
    this.#letGo?.();
    this.#letGo = undefined;
  }

  /** A page that stands still must neither lead nor wait to: nobody would be served. */
  #suspend(): void {
    this.#suspended = true;
    this.#stepDown();
    for (const session of [...this.#sessions]) session.end(MOVED, 'the page stands still');
  }

  #resume(): void {
    if (!this.#suspended) return;
    this.#suspended = false;
    this.#stand();
    for (const session of this.#sessions) session.hello();
  }
}

function tabLock(name: string, tab: string): string {
  return `${name} tab ${tab}`;
}

function heard(target: EventTarget, type: string, listener: () => void): Off {
  target.addEventListener(type, listener);
  return () => target.removeEventListener(type, listener);
}
