// One node's end of the memory backplane: the port of core over the shared store and bus. Keeps nothing but its place on the bus.

import type { Position } from '../../protocol/position.js';
import type { Member } from '../../protocol/publication.js';
import { TrunklineError } from '../../core/errors.js';
import type {
  AppendOptions,
  Appended,
  Backplane,
  BackplaneListener,
  ControlMessage,
  Draft,
  LogSlice,
  PresenceEntry,
  Question,
  ReadOptions,
  Revocation,
} from '../../core/ports/backplane.js';
import type { BusPort } from './memory.bus.js';
import type { MemoryStore } from './memory.store.js';

export class MemoryBackplane implements Backplane {
  readonly name = 'memory';
  private place: BusPort | undefined;

  constructor(readonly store: MemoryStore) {}

  /** This node's place on the bus, where tests and the simulator plug in faults. */
  get port(): BusPort {
    if (this.place === undefined)
      throw new TrunklineError('unavailable', 'The memory backplane is not started.');
    return this.place;
  }

  async start(listener: BackplaneListener): Promise<void> {
    if (this.place !== undefined) return;
    const revocations = this.store.revocations.all();
    if (revocations.length > 0) listener.onRevocations(revocations);
    this.place = this.store.bus.attach(listener);
    this.store.retain();
  }

  /** The sessions of this node go with it: their leaves are told to the other nodes. */
  async stop(): Promise<void> {
    const { place } = this;
    if (place === undefined) return;
    this.place = undefined;
    this.store.bus.detach(place);
    this.store.exitAll(this);
    this.store.release();
  }

  healthy(): boolean {
    return this.place !== undefined;
  }

  async append(channel: string, draft: Draft, options: AppendOptions): Promise<Appended> {
    return this.running().append(channel, draft, options);
  }

  async read(channel: string, options: ReadOptions): Promise<LogSlice> {
    return this.running().read(channel, options);
  }

  async tops(channels: readonly string[]): Promise<readonly Position[]> {
    const store = this.running();
    return channels.map((channel) => store.top(channel));
  }

  async subscribe(channel: string): Promise<void> {
    this.store.bus.subscribe(this.port, channel);
  }

  async unsubscribe(channel: string): Promise<void> {
    this.store.bus.unsubscribe(this.port, channel);
  }

  async enter(channel: string, entry: PresenceEntry): Promise<void> {
    this.running().enter(channel, entry, this);
  }

  async exit(channel: string, entry: PresenceEntry): Promise<void> {
    this.running().exit(channel, entry);
  }

  async members(channel: string): Promise<readonly Member[]> {
    return this.running().members(channel);
  }

  async control(message: ControlMessage): Promise<void> {
    this.running().bus.send({ kind: 'control', message });
  }

  async revoke(revocation: Revocation): Promise<void> {
    this.running().revoke(revocation);
  }

  async keep(key: string, text: string, ttlMs: number): Promise<void> {
    this.running().keep(key, text, ttlMs);
  }

  async take(key: string): Promise<string | undefined> {
    return this.running().take(key);
  }

  async gather(question: Question): Promise<readonly unknown[]> {
    return this.running().bus.ask(question);
  }

  private running(): MemoryStore {
    if (this.place === undefined)
      throw new TrunklineError('unavailable', 'The memory backplane is not started.');
    return this.store;
  }
}
