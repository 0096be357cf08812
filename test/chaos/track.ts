// Where one reader stands in its channels, and what it writes into the history. Knows no transport.

import type { Position } from '../../client/src/index.js';
import type { HistoryFile } from '../checker/history.js';

export interface SeenMessage {
  readonly offset?: number;
  readonly id: string;
  readonly data: unknown;
}

export class Track {
  readonly positions = new Map<string, Position>();
  delivered = 0;
  discontinuities = 0;
  /** Called with channel and operation of each message. */
  onMessage: ((channel: string, op: number) => void) | undefined;

  constructor(
    readonly name: string,
    private readonly history: HistoryFile,
  ) {}

  /** `why`: this does not follow what was seen before, and the reader was told so. */
  begin(channel: string, position: Position, why?: string): void {
    const { epoch, offset } = position;
    if (why !== undefined) this.discontinuities++;
    this.positions.set(channel, position);
    const entry = { k: 'begin', s: this.name, c: channel, epoch, offset, t: this.history.now() } as const;
    this.history.add(why === undefined ? entry : { ...entry, why });
  }

  /** `epoch`: the one the reader believes to be in when the message itself names none. */
  message(channel: string, message: SeenMessage, epoch = this.positions.get(channel)?.epoch ?? ''): void {
    const { offset = 0, id, data } = message;
    const op = Number(data);
    this.delivered++;
    this.positions.set(channel, { epoch, offset, id });
    this.history.add({ k: 'msg', s: this.name, c: channel, epoch, offset, id, op, t: this.history.now() });
    this.onMessage?.(channel, op);
  }

  leave(channel: string): void {
    if (!this.positions.delete(channel)) return;
    this.history.add({ k: 'leave', s: this.name, c: channel, t: this.history.now() });
  }

  note(text: string): void {
    this.history.note(`${this.name} ${text}`);
  }
}

/** What the crowd of a run is made of. */
export interface ChaosReader {
  readonly track: Track;
  readonly channels: readonly string[];
  /** Sessions it has opened so far. */
  readonly connections: number;
  /** Resolves when it is subscribed to all its channels. */
  start(): Promise<void>;
  stop(): void;
}
