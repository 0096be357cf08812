// Answers polls: at once from the log, or as a session that lives for one answer. A poll keeps nothing here, so losing one loses nothing.

import { Inject, Injectable, type OnModuleDestroy } from '@nestjs/common';
import { Core } from '../../core/core.js';
import type { Identity } from '../../core/identity.js';
import { errorOfClose, putOff, sinceOf, subscribeAll } from '../../core/joint.js';
import { ofChannel } from '../../core/errors.js';
import type { Clock } from '../../core/ports/time.js';
import type { Session } from '../../core/session.js';
import type { Subscribed } from '../../core/subscriber.js';
import { CHANNEL_ROUTER, CLOCK } from '../../core/tokens.js';
import type { ChannelRouter } from '../../core/ports/application.js';
import { CLOSE, NO_CLOSE_CODE } from '../../protocol/codes.js';
import type { Cursor } from '../../protocol/cursor.js';
import { PollAnswer } from './polling.answer.js';
import { POLL_ENTRIES } from './polling.format.js';
import { PollWaiter, type WaitOutcome } from './polling.waiter.js';

export interface PollRequest {
  readonly identity: Identity;
  readonly channels: readonly string[];
  readonly cursor: Cursor;
  readonly waitMs: number;
  /** Called once with what to do when the client goes away. */
  readonly onAbort: (abandon: () => void) => void;
}

@Injectable()
export class PollingService implements OnModuleDestroy {
  private readonly waiting = new Set<Session>();

  constructor(
    @Inject(Core) private readonly core: Core,
    @Inject(CLOCK) private readonly clock: Clock,
    @Inject(CHANNEL_ROUTER) private readonly router: ChannelRouter,
  ) {}

  /** Rejects with what the client is told instead of an answer. */
  async poll(request: PollRequest): Promise<PollAnswer> {
    const { channels, cursor, waitMs, identity } = request;
    this.core.subscriber.checkCount(channels.length, identity.user ?? '');
    const before = new Map([...cursor].filter(([channel]) => channels.includes(channel)));
    // A channel without a position gets one at once: a wait that breaks off would lose what came during it.
    const known = channels.every((channel) => before.has(channel));
    return known && waitMs > 0 ? this.wait(request, before) : this.look(request, before);
  }

  private async look({ identity, channels }: PollRequest, before: Cursor): Promise<PollAnswer> {
    this.core.admission.check();
    const answer = new PollAnswer(before);
    const states = await Promise.all(
      channels.map((channel) =>
        this.core.reader
          .catchUp({ identity }, channel, sinceOf(before.get(channel)))
          .catch((error: unknown) => {
            throw ofChannel(error, channel);
          }),
      ),
    );
    const later = putOff(states, this.core.resumeBounds);
    states.forEach((state, at) => later.has(at) || answer.addState(state));
    return answer;
  }

  private async wait(request: PollRequest, before: Cursor): Promise<PollAnswer> {
    const { identity, channels, waitMs, onAbort } = request;
    this.core.admission.check(identity);
    const waiter = new PollWaiter(channels.length);
    const session = this.core.addSession({ identity, format: POLL_ENTRIES, link: waiter });
    waiter.session = session;
    this.waiting.add(session);
    onAbort(() => {
      session.closed(NO_CLOSE_CODE);
      waiter.end();
    });
    try {
      const joined = await this.join(session, channels, before);
      const answer = new PollAnswer(before);
      this.addJoined(answer, joined);
      if (!answer.empty || session.ended) return answer;
      for (const { activate } of joined) activate();
      const cancel = this.clock.after(waitMs, () => waiter.end());
      const outcome = await waiter.outcome;
      cancel();
      return finish(answer, outcome);
    } finally {
      this.waiting.delete(session);
      session.close(CLOSE.normal);
    }
  }

  /** Who waits is answered, with nothing, while there is still a server to answer. */
  onModuleDestroy(): void {
    this.core.draining = true;
    for (const session of [...this.waiting]) session.close(CLOSE.goingAway);
  }

  private async join(
    session: Session,
    channels: readonly string[],
    before: Cursor,
  ): Promise<readonly Subscribed[]> {
    const requests = channels.map((channel) => ({
      channel,
      since: sinceOf(before.get(channel)),
      presence: false,
    }));
    return subscribeAll(this.core.subscriber, session, requests);
  }

  private addJoined(answer: PollAnswer, joined: readonly Subscribed[]): void {
    const results = joined.map(({ result }) => result);
    const later = putOff(results, this.core.resumeBounds);
    results.forEach((result, at) => {
      const policy = this.router.resolve(result.channel)?.policy;
      if (policy !== undefined && !later.has(at)) answer.addState({ ...result, policy, position: result });
    });
  }
}

function finish(answer: PollAnswer, outcome: WaitOutcome): PollAnswer {
  if (outcome.type === 'news') answer.addFrames(outcome.frames);
  // A drain says: ask again, elsewhere. Everything else that ends a session is told.
  else if (outcome.type === 'closed' && outcome.code !== CLOSE.goingAway.code) throw errorOfClose(outcome);
  return answer;
}
