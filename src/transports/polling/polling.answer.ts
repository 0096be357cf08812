// What one poll is answered: entries, gaps and the cursor after them. Knows no request and no session.

import type { Frame } from '../../core/batch.js';
import { NO_EPOCH } from '../../core/feed.js';
import type { ChannelPolicy } from '../../core/policy.js';
import { isReplaced } from '../../core/resume.js';
import { encodeCursor, type Cursor } from '../../protocol/cursor.js';
import type { Position } from '../../protocol/position.js';
import type { GapReason, Publication, ResumeRefusal } from '../../protocol/publication.js';
import { gapEntry, messageEntry } from './polling.format.js';

/** Where one channel stands now, against where the reader stood. */
export interface ChannelState {
  readonly channel: string;
  readonly policy: ChannelPolicy;
  readonly position: Position;
  readonly messages: readonly Publication[];
  readonly reason: ResumeRefusal | undefined;
}

export class PollAnswer {
  private readonly positions: Map<string, Position>;
  private readonly messages: string[] = [];
  private readonly gaps: string[] = [];

  /** `before`: where the reader stood, in the channels it asked for. */
  constructor(private readonly before: Cursor) {
    this.positions = new Map(before);
  }

  get empty(): boolean {
    return this.messages.length === 0 && this.gaps.length === 0;
  }

  get cursor(): string {
    return encodeCursor(this.positions);
  }

  get body(): string {
    const gaps = this.gaps.length === 0 ? '' : `,"gaps":[${this.gaps.join(',')}]`;
    return `{"messages":[${this.messages.join(',')}],"cursor":"${this.cursor}"${gaps}}`;
  }

  addState({ channel, policy, position, messages, reason }: ChannelState): void {
    this.positions.set(channel, position);
    const since = this.before.get(channel);
    if (reason !== undefined && since !== undefined && since.epoch !== NO_EPOCH) {
      const told: GapReason = reason === 'expired' && policy.overflow === 'conflate' ? 'conflated' : reason;
      const from = isReplaced(reason) ? Math.min(1, position.offset) : since.offset + 1;
      const to = (messages[0]?.offset ?? position.offset + 1) - 1;
      const count = Math.max(0, to - from + 1);
      const { epoch } = position;
      this.gaps.push(
        gapEntry({ type: 'gap', channel, epoch, from: Math.min(from, to), to, count, reason: told }),
      );
    }
    for (const publication of messages) this.messages.push(messageEntry(channel, publication));
  }

  /** Frames as the outbox hands them over. */
  addFrames(frames: readonly Frame[]): void {
    for (const { bytes, droppable, mark } of frames) {
      if (droppable !== undefined) this.messages.push(bytes.toString('utf8'));
      else if (mark !== undefined) this.gaps.push(bytes.toString('utf8'));
      if (mark !== undefined) this.positions.set(mark.channel, mark);
    }
  }
}
