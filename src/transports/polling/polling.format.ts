// The wire format of polls: messages and gaps as entries of one JSON answer, made once for all who wait. Knows no request.

import type { WireFormat } from '../../core/ports/link.js';
import { errorBody } from '../../protocol/decode.js';
import { encodeMessage } from '../../protocol/encode.js';
import type { Decoded, GapPush } from '../../protocol/frames.js';
import type { Publication } from '../../protocol/publication.js';

const NOTHING = Buffer.alloc(0);
const ONE_WAY: Decoded = {
  ok: false,
  id: undefined,
  error: errorBody('invalid_frame', 'A poll takes nothing in.'),
};

/** Joins, leaves and notices have no place in an answer that is the same for every poll with one cursor. */
export const POLL_ENTRIES: WireFormat = {
  name: 'polling',
  decode: () => ONE_WAY,
  push(push) {
    if (push.type === 'message') return Buffer.from(messageEntry(push.channel, push.publication));
    return push.type === 'gap' ? Buffer.from(gapEntry(push)) : NOTHING;
  },
  ok: () => NOTHING,
  error: () => NOTHING,
};

export function messageEntry(channel: string, publication: Publication): string {
  return `{"type":"message",${encodeMessage(channel, publication).slice(1)}`;
}

export function gapEntry({ type: _type, ...gap }: GapPush): string {
  return JSON.stringify(gap);
}
