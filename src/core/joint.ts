// Several channels joined as one step, for transports whose first answer speaks of all of them. Knows no transport.

import { CLOSE } from '../protocol/codes.js';
import type { Position } from '../protocol/position.js';
import { ofChannel, TrunklineError } from './errors.js';
import { NO_EPOCH } from './feed.js';
import { bytesOf, type ResumeBounds, type Verdict } from './resume.js';
import type { Session } from './session.js';
import type { Subscribed, Subscriber, SubscribeRequest } from './subscriber.js';

/**
 * All or none, in the order asked: when one is refused, the first refusal is thrown with its channel and the caller ends the session.
 * Nothing is sent live before each `activate`.
 */
export async function subscribeAll(
  subscriber: Subscriber,
  session: Session,
  requests: readonly SubscribeRequest[],
): Promise<readonly Subscribed[]> {
  subscriber.checkCount(requests.length, session.user ?? '');
  const outcomes = await Promise.allSettled(
    requests.map((request) => subscriber.subscribe(session, request)),
  );
  return outcomes.map((outcome, at) => {
    if (outcome.status === 'fulfilled') return outcome.value;
    throw ofChannel(outcome.reason, requests[at]?.channel ?? '');
  });
}

/** A channel without a log has no place to come back to, and a reader of it misses nothing that was promised. */
export function sinceOf(position: Position | undefined): Position | undefined {
  return position?.epoch === NO_EPOCH ? undefined : position;
}

/**
 * Which resumes have to wait for the next time: one session must not hold the bound of a resume for each of its channels. The
 * first always passes, so who comes back gets further each time.
 */
export function putOff(
  resumes: readonly Pick<Verdict, 'messages' | 'recovered'>[],
  { resumeBytes }: ResumeBounds,
): ReadonlySet<number> {
  const later = new Set<number>();
  let sum = 0;
  resumes.forEach(({ messages, recovered }, at) => {
    if (!recovered || messages.length === 0) return;
    const bytes = bytesOf(messages);
    if (sum > 0 && sum + bytes > resumeBytes) later.add(at);
    else sum += bytes;
  });
  return later;
}

/** The end of a session, told to somebody who has had no answer yet. */
export function errorOfClose({
  code,
  reason,
}: {
  readonly code: number;
  readonly reason: string;
}): TrunklineError {
  if (code === CLOSE.expired.code) return new TrunklineError('expired', 'The token has ended.');
  if (code >= 4000 && code < 4100)
    return new TrunklineError('forbidden', `The session was ended: ${reason}.`);
  if (code === CLOSE.internal.code) return new TrunklineError('internal', 'The server could not do this.');
  return new TrunklineError('unavailable', `The session was ended: ${reason}.`, { retryAfterMs: 1000 });
}
