// Reading a channel without joining it: history and members, with the same rules for sockets and REST.

import type { HistoryCommand } from '../protocol/frames.js';
import type { Position } from '../protocol/position.js';
import type { HistoryResult, Member } from '../protocol/publication.js';
import { TrunklineError } from './errors.js';
import { NO_EPOCH } from './feed.js';
import type { Identity } from './identity.js';
import { authorize, type Action, type ChannelPolicy } from './policy.js';
import type { ChannelRouter, ResolvedChannel } from './ports/application.js';
import type { Backplane } from './ports/backplane.js';
import type { Clock } from './ports/time.js';
import type { Presence } from './presence.js';
import {
  judge,
  resumeQuestion,
  unprovenOf,
  type ResumeBounds,
  type Unproven,
  type Verdict,
} from './resume.js';

export type HistoryRequest = Omit<HistoryCommand, 'type'>;

const NOTHING = { messages: [], recovered: false, reason: undefined } as const;

/** Who reads; `session` when it reads by a socket. */
export interface ReaderCaller {
  readonly identity: Identity;
  readonly session?:
    { readonly id: string; readonly subscriptions: ReadonlyMap<string, unknown> } | undefined;
}

/** What a reader gets who asks from time to time instead of listening. */
export interface CatchUp extends Verdict {
  readonly channel: string;
  readonly policy: ChannelPolicy;
}

export interface ReaderParts {
  readonly backplane: Backplane;
  readonly presence: Presence;
  readonly router: ChannelRouter;
  readonly bounds: ResumeBounds;
  readonly clock: Pick<Clock, 'now'>;
}

export class Reader {
  constructor(private readonly parts: ReaderParts) {}

  /** What a subscribe from `since` would give, without joining. Without it: the place of now, from which to ask next time. */
  async catchUp(caller: ReaderCaller, channel: string, since: Position | undefined): Promise<CatchUp> {
    const { policy } = await this.admit(caller, 'subscribe', channel);
    const unproven = unprovenOf(caller.identity, channel, policy, this.parts.clock.now());
    return { channel, policy, ...(await this.place(channel, policy, since, unproven)) };
  }

  private async place(
    channel: string,
    policy: ChannelPolicy,
    since: Position | undefined,
    unproven: Unproven,
  ): Promise<Verdict> {
    if (policy.history === undefined) return { ...NOTHING, position: { epoch: NO_EPOCH, offset: 0, id: '' } };
    if (since === undefined) {
      const { top } = await this.parts.backplane.read(channel, { after: 0, limit: 1, reverse: true });
      // Just before the last value, where a newcomer gets it: the next question brings it.
      const position = policy.replayLast && top.offset > 0 ? { ...top, offset: top.offset - 1, id: '' } : top;
      return { ...NOTHING, position };
    }
    const verdict = judge(
      since,
      await this.parts.backplane.read(channel, resumeQuestion(since, this.parts.bounds)),
      this.parts.bounds,
      unproven,
    );
    if (verdict.recovered || !policy.replayLast) return verdict;
    const { top, publications } = await this.parts.backplane.read(channel, {
      after: 0,
      limit: 1,
      reverse: true,
    });
    return { ...verdict, position: top, messages: publications };
  }

  /** Oldest first after `since`, or newest first before it when `reverse`. */
  async history(
    caller: ReaderCaller,
    { channel, since, limit, reverse }: HistoryRequest,
  ): Promise<HistoryResult> {
    const { policy } = await this.admit(caller, 'history', channel);
    if (policy.history === undefined) return { channel, epoch: NO_EPOCH, offset: 0, id: '', messages: [] };
    const { top, publications } = await this.parts.backplane.read(channel, {
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
    return this.parts.presence.members(channel);
  }

  /** A handler that guards the channel is asked here too, unless it has let this very session in. */
  private async admit(
    { identity, session }: ReaderCaller,
    action: Action,
    channel: string,
  ): Promise<ResolvedChannel> {
    const resolved = this.parts.router.resolve(channel);
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
