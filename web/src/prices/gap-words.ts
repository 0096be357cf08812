// What the board says about ticks that did not come: a word or two. Knows the client's reasons, no page.

import type { Gap } from 'trunkline-client';

export function gapTag({ reason, count }: Pick<Gap, 'reason' | 'count'>): string {
  const skipped = count > 0 ? ` · ${count} skipped` : '';
  switch (reason) {
    case 'conflated':
    case 'overflow':
    case 'expired':
    case 'too_many':
      // The channel keeps the last value only, so what was missed while away is left out in the same way.
      return `conflated${skipped}`;
    case 'epoch_changed':
    case 'ahead':
    case 'id_mismatch':
      return 'started afresh';
    default:
      return `missed${skipped}`;
  }
}
