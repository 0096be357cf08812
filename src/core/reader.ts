// Reading a channel without joining it: history and members, with the same rules for sockets and REST.

import type { HistoryCommand } from '../protocol/frames.js';
import type { HistoryResult, Member } from '../protocol/publication.js';
import { TrunklineError } from './errors.js';
import { NO_EPOCH } from './feed.js';
import type { Identity } from './identity.js';
import { authorize, type Action } from './policy.js';
import type { ChannelRouter, ResolvedChannel } from './ports/application.js';
import type { Backplane } from './ports/backplane.js';

export type HistoryRequest = Omit<HistoryCommand, 'type'>;

/** Who reads; `session` when it reads by a socket. */
export interface ReaderCaller {
  readonly identity: Identity;
  readonly session?:
    { readonly id: string; readonly subscriptions: ReadonlyMap<string, unknown> } | undefined;
}

export class Reader {
  constructor(
    private readonly backplane: Backplane,
    private readonly router: ChannelRouter,
  ) {}

  /** Oldest first after `since`, or newest first before it when `reverse`. */
  async history(
    caller: ReaderCaller,
    { channel, since, limit, reverse }: HistoryRequest,
  ): Promise<HistoryResult> {
    const { policy } = await this.admit(caller, 'history', channel);
    if (policy.history === undefined) return { channel, epoch: NO_EPOCH, offset: 0, id: '', messages: [] };
    const { top, publications } = await this.backplane.read(channel, {
      after: since?.offset ?? 0,
      limit,
      reverse,
    });
    if (since !== undefined && since.epoch !== top.epoch) {
      const details = [{ path: 'since', message: 'is of an earlier life of this channel; read without it' }];
      throw new TrunklineError('invalid_data', '"since" is of an earlier life of this channel.', { details });
    }
    return { channel, ...top, messages: publications };
  }

  async members(caller: ReaderCaller, channel: string): Promise<readonly Member[]> {
    const { policy } = await this.admit(caller, 'presence', channel);
    if (!policy.presence) throw new TrunklineError('forbidden', 'This channel does not show who is present.');
    return this.backplane.members(channel);
  }

  /** A handler that guards the channel is asked here too, unless it has let this very session in. */
  private async admit(
    { identity, session }: ReaderCaller,
    action: Action,
    channel: string,
  ): Promise<ResolvedChannel> {
    const resolved = this.router.resolve(channel);
    if (resolved === undefined) throw new TrunklineError('unknown_channel', 'No rule matches this channel.');
    const { policy, handlers, params } = resolved;
    authorize(identity, action, channel, policy);
    const decidedByRule = action === 'history' && policy.historyAccess !== undefined;
    const inside = identity.kind === 'backend' || session?.subscriptions.has(channel) === true;
    if (!decidedByRule && !inside) {
      await handlers?.onSubscribe?.({ channel, params, identity, session: session?.id });
    }
    return resolved;
  }
}
