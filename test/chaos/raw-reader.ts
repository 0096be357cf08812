// A reader made of sessions: when one ends, or is cut on purpose, the next resumes at once on another instance. Knows no wire.

import type { SeededRandom } from '../support/seeded-random.js';
import type { Instance } from './cluster.js';
import type { ChaosReader, Track } from './track.js';
import type { Session, Wire } from './wires.js';

/** Milliseconds until the next try when an instance would not have it. */
const RETRY_MS = [30, 300] as const;

export interface RawOptions {
  readonly track: Track;
  readonly channels: readonly string[];
  readonly wire: Wire;
  readonly random: SeededRandom;
  /** Where the next session goes, preferably not where the last one was. */
  readonly pick: (except: Instance | undefined) => Instance;
}

export class RawReader implements ChaosReader {
  readonly track: Track;
  readonly channels: readonly string[];
  connections = 0;
  session: Session | undefined;
  /** Where the session is. */
  instance: Instance | undefined;
  private stopped = false;

  constructor(private readonly options: RawOptions) {
    this.track = options.track;
    this.channels = options.channels;
  }

  async start(): Promise<void> {
    await this.open();
    void this.goOn();
  }

  /** Ends the session; the next one follows at once. */
  cut(): void {
    this.session?.cut();
  }

  stop(): void {
    this.stopped = true;
    this.cut();
    for (const channel of this.channels) this.track.leave(channel);
  }

  private async goOn(): Promise<void> {
    while (!this.stopped) {
      await this.session?.over;
      this.session = undefined;
      await this.open();
    }
  }

  private async open(): Promise<void> {
    const { track, channels, wire, random, pick } = this.options;
    while (!this.stopped) {
      const instance = pick(this.instance);
      this.instance = instance;
      try {
        this.session = await wire({ instance, channels, track });
        this.connections++;
        track.note(`is on ${instance.name}`);
        if (this.stopped) this.session.cut();
        return;
      } catch (error) {
        if (this.stopped) return;
        track.note(`not taken by ${instance.name}: ${(error as Error).message}`);
        const [least, most] = RETRY_MS;
        await new Promise((resolve) => setTimeout(resolve, least + random.below(most - least)));
      }
    }
  }
}
