// Reading a channel without joining it: history and members, with the same rules for sockets and REST.

import type { HistoryResult, Member } from '../protocol/publication.js';
import type { Position } from '../protocol/position.js';
import { TrunklineError } from './errors.js';
import { NO_EPOCH } from './feed.js';
import type { Identity } from './identity.js';
import { authorize, type Action } from './policy.js';
import type { ChannelRouter, ResolvedChannel } from './ports/application.js';
import type { Backplane } from './ports/backplane.js';

export interface HistoryRequest {
  readonly channel: string;
  readonly since: Position | undefined;
  readonly limit: number;
  readonly reverse: boolean;
}

export class Reader {
  constructor(
    private readonly backplane: Backplane,
    private readonly router: ChannelRouter,
  ) {}

  /** Oldest first after `since`, or newest first before it when `reverse`. */
  async history(
    identity: Identity,
    { channel, since, limit, reverse }: HistoryRequest,
  ): Promise<HistoryResult> {
    const { policy } = this.admit(identity, 'history', channel);
    if (policy.history === undefined) return { channel, epoch: NO_EPOCH, offset: 0, id: '', messages: [] };
    const { top, publications } = await this.backplane.read(channel, {
      after: since?.offset ?? 0,
      limit,
      reverse,
    });
    if (since !== undefined && since.epoch !== top.epoch) {
      throw new TrunklineError(
        'expired',
        'The position is of an earlier life of this channel. Read without it.',
      );
    }
    return { channel, ...top, messages: publications };
  }

  async members(identity: Identity, channel: string): Promise<readonly Member[]> {
    const { policy } = this.admit(identity, 'presence', channel);
    if (!policy.presence) throw new TrunklineError('forbidden', 'This channel does not show who is present.');
    return this.backplane.members(channel);
  }

  private admit(identity: Identity, action: Action, channel: string): ResolvedChannel {
    const resolved = this.router.resolve(channel);
    if (resolved === undefined) throw new TrunklineError('unknown_channel', 'No rule matches this channel.');
    authorize(identity, action, channel, resolved.policy);
    return resolved;
  }
}
