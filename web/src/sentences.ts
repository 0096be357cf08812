// What the page says about gaps and refusals: one plain sentence each. Knows the client's codes, no page.

import type { Gap, TrunklineError } from 'trunkline-client';

export function gapSentence(gap: Pick<Gap, 'reason' | 'count'>): string {
  switch (gap.reason) {
    case 'epoch_changed':
    case 'ahead':
    case 'id_mismatch':
      return 'The room’s record started afresh on the server. Messages from the break may be missing.';
    case 'expired':
    case 'too_many':
      return 'You were away for longer than the record reaches. Messages from the break may be missing.';
    case 'overflow':
    case 'conflated':
      return `Your connection could not keep up, so ${messages(gap.count)} skipped.`;
    default:
      return 'Messages may be missing here.';
  }
}

function messages(count: number): string {
  if (count === 0) return 'messages were';
  return count === 1 ? 'one message was' : `${count} messages were`;
}

export function isTrunklineError(error: unknown): error is TrunklineError {
  return error instanceof Error && error.name === 'TrunklineError';
}

/** Under a message that was not sent. */
export function problemSentence(error: unknown): string {
  return error instanceof Error && error.message !== '' ? error.message : 'Not sent.';
}

export function isRateLimit(error: unknown): error is TrunklineError {
  return isTrunklineError(error) && error.code === 'rate_limited';
}
