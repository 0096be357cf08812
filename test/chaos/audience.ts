// The readers of a run, on all transports, and the end of it: everybody at the top, the log read out. Knows no fault.

import type { HistoryPage, Message, TransportName } from '../../client/src/index.js';
import { formatPosition } from '../../src/protocol/position.js';
import type { SeededRandom } from '../support/seeded-random.js';
import { TEST_API_KEY } from '../support/server.js';
import type { ChaosCluster, Instance } from './cluster.js';
import type { HistoryFile } from '../checker/history.js';
import { RawReader } from './raw-reader.js';
import { SdkReader } from './sdk-reader.js';
import { Track, type ChaosReader } from './track.js';
import { POLL_WIRE, SSE_WIRE, WS_WIRE, type Wire } from './wires.js';

const PAGE = 300;
const STEP_MS = 50;

export interface AudienceOptions {
  readonly cluster: ChaosCluster;
  readonly history: HistoryFile;
  readonly random: SeededRandom;
  readonly channels: readonly string[];
}

/** Share of the channels that a reader of this kind follows. An event of a stream costs the driver three times what a frame costs, a poll ten times. */
const SDK: readonly (readonly [TransportName, number])[] = [
  ['websocket', 0.5],
  ['websocket', 0.5],
  ['sse', 0.2],
  ['sse', 0.2],
  ['polling', 0.04],
];
const RAW: readonly (readonly [string, Wire, number])[] = [
  ['ws', WS_WIRE, 0.5],
  ['ws', WS_WIRE, 0.5],
  ['sse', SSE_WIRE, 0.2],
  ['sse', SSE_WIRE, 0.2],
  ['poll', POLL_WIRE, 0.04],
];
/** Every reader follows several: what belongs to one channel must not go into another. */
const LEAST = 2;

export class Audience {
  readonly sdk: SdkReader[] = [];
  readonly raw: RawReader[] = [];
  /** Of a scenario with a crowd of its own. */
  readonly crowd: ChaosReader[] = [];

  constructor(private readonly options: AudienceOptions) {}

  get readers(): readonly ChaosReader[] {
    return [...this.sdk, ...this.raw, ...this.crowd];
  }

  get delivered(): number {
    return this.readers.reduce((sum, { track }) => sum + track.delivered, 0);
  }

  get discontinuities(): number {
    return this.readers.reduce((sum, { track }) => sum + track.discontinuities, 0);
  }

  get connections(): number {
    return this.readers.reduce((sum, { connections }) => sum + connections, 0);
  }

  /** Every kind of reader, each on a part of the channels. */
  async gather(): Promise<void> {
    for (const [at, [transport, share]] of SDK.entries())
      this.addSdk(transport, this.part(at, share), `sdk-${at}-${transport}`);
    for (const [at, [name, wire, share]] of RAW.entries())
      this.addRaw(wire, this.part(at + SDK.length, share), `raw-${at}-${name}`);
    await this.start();
  }

  addSdk(
    transport: TransportName,
    channels: readonly string[],
    name: string,
    pick = this.anywhere(),
  ): SdkReader {
    const { history, random } = this.options;
    const reader = new SdkReader({ track: new Track(name, history), channels, transport, random, pick });
    this.sdk.push(reader);
    return reader;
  }

  addRaw(wire: Wire, channels: readonly string[], name: string, at?: Instance): RawReader {
    const { cluster, history, random } = this.options;
    const pick = (except: Instance | undefined): Instance => at ?? cluster.pick(random, except);
    const reader = new RawReader({ track: new Track(name, history), channels, wire, random, pick });
    this.raw.push(reader);
    return reader;
  }

  async start(): Promise<void> {
    await Promise.all(this.readers.map((reader) => reader.start()));
  }

  stop(): void {
    for (const reader of this.readers) reader.stop();
  }

  /**
   * Milliseconds until every reader stood at the top of its channels; the limit when some never did. Asked twice: what a publisher was told
   * is unknown may still come into the log a moment later.
   */
  async rest(limitMs: number): Promise<number> {
    const began = performance.now();
    let calm = 0;
    while (performance.now() - began < limitMs) {
      const tops = await this.tops().catch(() => undefined);
      const there = tops !== undefined && this.readers.every((reader) => isAtTop(reader, tops));
      calm = there ? calm + 1 : 0;
      if (calm === 2) return Math.round(performance.now() - began);
      await new Promise((resolve) => setTimeout(resolve, STEP_MS));
    }
    return limitMs;
  }

  /** Writes the whole log of each channel into the history. */
  async readLog(): Promise<void> {
    const { history, channels } = this.options;
    for (const channel of channels) {
      let page = await this.page(channel, `limit=${PAGE}`);
      const { epoch, offset } = page;
      history.add({ k: 'top', c: channel, epoch, offset });
      while (page.messages.length > 0) {
        for (const { offset: at = 0, id, data } of page.messages)
          history.add({ k: 'log', c: channel, epoch, offset: at, id, op: Number(data) });
        const last = page.messages.at(-1) as Message;
        const since = formatPosition({ epoch, offset: last.offset ?? 0, id: last.id });
        page = await this.page(channel, `limit=${PAGE}&since=${since}`);
      }
    }
  }

  private async tops(): Promise<Map<string, string>> {
    const tops = new Map<string, string>();
    await Promise.all(
      this.options.channels.map(async (channel) => {
        const { epoch, offset } = await this.page(channel, 'limit=1');
        tops.set(channel, `${epoch} ${offset}`);
      }),
    );
    return tops;
  }

  private async page(channel: string, query: string): Promise<HistoryPage> {
    const { cluster, random } = this.options;
    const { url } = cluster.pick(random);
    const response = await fetch(`${url}/api/channels/${encodeURIComponent(channel)}/messages?${query}`, {
      headers: { authorization: `Bearer ${TEST_API_KEY}` },
      signal: AbortSignal.timeout(5000),
    });
    if (response.status !== 200)
      throw new Error(`The history was answered ${response.status}: ${await response.text()}`);
    return (await response.json()) as HistoryPage;
  }

  private anywhere(): () => Instance {
    const { cluster, random } = this.options;
    return () => cluster.pick(random);
  }

  /** A share of the channels, another one for each reader. */
  private part(at: number, share: number): readonly string[] {
    const { channels } = this.options;
    const count = Math.max(LEAST, Math.round(channels.length * share));
    const first = Math.floor((at * channels.length) / (SDK.length + RAW.length));
    return Array.from({ length: count }, (_, n) => channels[(first + n) % channels.length] as string);
  }
}

function isAtTop({ track, channels }: ChaosReader, tops: ReadonlyMap<string, string>): boolean {
  return channels.every((channel) => {
    const at = track.positions.get(channel);
    return at !== undefined && `${at.epoch} ${at.offset}` === tops.get(channel);
  });
}
