// Reads all frames of one session and says where its stream of a channel is broken: a hole, a repeat, a swap, a stray. Knows only frames.

import type { WireFrame } from './json-format.js';

interface Standing {
  epoch: string;
  offset: number;
}

/** A publication as the session saw it, live or in a reply. */
export interface Seen {
  readonly epoch: string;
  readonly offset: number;
  readonly id: string;
}

export interface Stream {
  readonly seen: readonly Seen[];
  /** Gaps told and resumes refused. */
  readonly discontinuities: number;
  /** Where the session stands; undefined when it is not subscribed. */
  readonly standing: Readonly<Standing> | undefined;
}

/** Throws at the first breach. The rules hold between `subscribed` and an explicit discontinuity, on channels with history. */
export function checkStream(frames: readonly WireFrame[], channel: string): Stream {
  const reader = new StreamReader(channel);
  frames.forEach((frame, index) => {
    try {
      reader.read(frame);
    } catch (error) {
      throw new Error(`Frame ${index} ${JSON.stringify(frame)}: ${(error as Error).message}`, {
        cause: error,
      });
    }
  });
  return reader;
}

class StreamReader implements Stream {
  readonly seen: Seen[] = [];
  discontinuities = 0;
  standing: Standing | undefined;

  constructor(private readonly channel: string) {}

  read({ event, data }: WireFrame): void {
    if (data['channel'] !== this.channel) return;
    if (event === 'message') this.live(data);
    else if (event === 'gap') this.gap(data);
    else if (event === 'unsubscribed') this.standing = undefined;
    else if (event === 'subscribed' || (event === 'ok' && 'recoverable' in data)) this.begin(data);
    else if (event === 'ok' && Object.keys(data).length === 1) this.standing = undefined;
  }

  private begin(data: WireFrame['data']): void {
    const { epoch, offset, recovered, reason } = data as unknown as Standing & {
      recovered: boolean;
      reason?: string;
    };
    const messages = data['messages'] as { offset: number; id: string }[];
    if (reason !== undefined) this.discontinuities++;
    let next = offset - messages.length + 1;
    if (recovered) {
      for (const message of messages) {
        if (message.offset !== next) throw new Error(`the reply has ${message.offset} where ${next} belongs`);
        this.seen.push({ epoch, offset: next++, id: message.id });
      }
    }
    this.standing = { epoch, offset };
  }

  private live(data: WireFrame['data']): void {
    const { standing } = this;
    if (standing === undefined) throw new Error('a message came outside a subscription');
    const { offset, id } = data as { offset?: number; id: string };
    if (offset === undefined) return;
    if (offset !== standing.offset + 1) throw new Error(`it came where ${standing.offset + 1} belongs`);
    standing.offset = offset;
    this.seen.push({ epoch: standing.epoch, offset, id });
  }

  private gap(data: WireFrame['data']): void {
    const { standing } = this;
    if (standing === undefined) throw new Error('a gap came outside a subscription');
    const { epoch, from, to } = data as { epoch: string; from: number; to: number };
    this.discontinuities++;
    const replaced = epoch !== standing.epoch || data['reason'] === 'id_mismatch';
    if (!replaced && from !== standing.offset + 1)
      throw new Error(`the gap begins where the session does not stand`);
    if (to < from) throw new Error('the gap ends before it begins');
    standing.epoch = epoch;
    standing.offset = to;
  }
}
