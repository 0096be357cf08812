// What a waiting poll makes of frames: a log that was replaced by an empty one is news, and moves the reader to the new one.

import { describe, expect, it } from 'vitest';
import { gapFrame } from '../../src/core/backlog.js';
import { OwnBatch } from '../../src/core/batch.js';
import type { GapPush } from '../../src/protocol/frames.js';
import { decodeCursor } from '../../src/protocol/cursor.js';
import { PollAnswer } from '../../src/transports/polling/polling.answer.js';
import { POLL_ENTRIES } from '../../src/transports/polling/polling.format.js';
import { PollWaiter } from '../../src/transports/polling/polling.waiter.js';

const BEFORE = new Map([['room', { epoch: 'old', offset: 18, id: 'x' }]]);
const REPLACED: GapPush = {
  type: 'gap',
  channel: 'room',
  epoch: 'new',
  from: 0,
  to: 0,
  count: 0,
  reason: 'epoch_changed',
};

describe('a poll that waits while its log is replaced by an empty one', () => {
  it('is answered with the gap, and a cursor of the new log', async () => {
    const waiter = new PollWaiter(1);
    const frame = gapFrame(REPLACED, POLL_ENTRIES.push(REPLACED));
    waiter.write(new OwnBatch([frame]));
    expect(await waiter.outcome).toEqual({ type: 'news', frames: [frame] });
    const answer = new PollAnswer(BEFORE);
    answer.addFrames([frame]);
    const body = JSON.parse(answer.body) as { gaps: object[]; cursor: string };
    expect(body.gaps).toMatchObject([{ channel: 'room', epoch: 'new', to: 0, reason: 'epoch_changed' }]);
    expect(decodeCursor(body.cursor)?.get('room')).toEqual({ epoch: 'new', offset: 0, id: '' });
  });

  it('does not move for a gap of events without offsets', () => {
    const dropped: GapPush = { ...REPLACED, epoch: 'old', count: 3, reason: 'overflow' };
    expect(gapFrame(dropped, POLL_ENTRIES.push(dropped)).mark).toBeUndefined();
  });
});
