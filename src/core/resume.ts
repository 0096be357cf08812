// What a position is worth against the log: exactly what was missed, in order, or a refusal with its reason. Pure; asks no log.

import type { Position } from '../protocol/position.js';
import type { GapReason, Publication, ResumeRefusal } from '../protocol/publication.js';
import type { Identity } from './identity.js';
import { may, type ChannelPolicy } from './policy.js';
import type { LogSlice, ReadOptions } from './ports/backplane.js';

export interface ResumeBounds {
  /** Most publications one resume may give; more is `too_many`. */
  readonly resumeMessages: number;
  /** Bytes of payload one resume may give; more is `too_many`. */
  readonly resumeBytes: number;
}

export interface Verdict {
  readonly position: Position;
  readonly messages: readonly Publication[];
  readonly recovered: boolean;
  readonly reason: ResumeRefusal | undefined;
}

/** What somebody gets who does not name the id of the publication he stands at, which he was told when he was there. */
export interface Unproven {
  readonly count: number;
  /** Milliseconds since 1970: who says that he stood where there was nothing yet is believed when the first publication came after this. */
  readonly begunAfter: number;
}

export const EVERYTHING: Unproven = { count: Infinity, begunAfter: 0 };
/** Milliseconds. Between two polls lie some hundred; a reconnect takes seconds, or a minute in a storm. */
const BELIEVED_MS = 300_000;

/** What to ask the log for, so that `judge` can tell. */
export function resumeQuestion(since: Position, { resumeMessages }: ResumeBounds): ReadOptions {
  return { after: since.offset, limit: resumeMessages + 1, reverse: false };
}

/** All or nothing: a part of what was missed is never given. `unproven`: without a bound, any offset is a way to read history. */
export function judge(
  since: Position,
  slice: LogSlice,
  bounds: ResumeBounds,
  unproven: Unproven = EVERYTHING,
): Verdict {
  const reason = refusal(since, slice, bounds, unproven);
  const recovered = reason === undefined;
  return { position: slice.top, messages: recovered ? slice.publications : [], recovered, reason };
}

function refusal(
  since: Position,
  { top, publications, idAtAfter }: LogSlice,
  { resumeMessages, resumeBytes }: ResumeBounds,
  unproven: Unproven,
): ResumeRefusal | undefined {
  if (since.epoch !== top.epoch) return 'epoch_changed';
  if (since.offset > top.offset) return 'ahead';
  const seen = since.offset === top.offset ? top.id : idAtAfter;
  if (since.id !== '' && seen !== undefined && seen !== '' && seen !== since.id) return 'id_mismatch';
  const missed = top.offset - since.offset;
  const [first] = publications;
  const proven = since.id === '' ? isBeginning(since, first, unproven) : seen === since.id;
  if (missed > unproven.count && !proven) return 'expired';
  if (missed > 0 && first?.offset !== since.offset + 1) return 'expired';
  if (missed > resumeMessages || publications.length !== missed) return 'too_many';
  return bytesOf(publications) > resumeBytes ? 'too_many' : undefined;
}

/** There is no id where nothing stands. */
function isBeginning(
  { offset }: Position,
  first: Publication | undefined,
  { begunAfter }: Unproven,
): boolean {
  return offset === 0 && first !== undefined && first.time > begunAfter;
}

/** For `judge`: who may not read history comes back to where he was, and nowhere else. The last value is for everybody who subscribes. */
export function unprovenOf(
  identity: Identity,
  channel: string,
  policy: ChannelPolicy,
  nowMs: number,
): Unproven {
  if (may(identity, 'history', channel, policy)) return EVERYTHING;
  return { count: policy.replayLast ? 1 : 0, begunAfter: nowMs - BELIEVED_MS };
}

/** Bytes of their payloads. */
export function bytesOf(publications: readonly Publication[]): number {
  return publications.reduce((sum, { data }) => sum + Buffer.byteLength(data), 0);
}

const REPLACED: ReadonlySet<GapReason> = new Set<GapReason>(['epoch_changed', 'id_mismatch', 'ahead']);

/** The log was replaced: offsets of before mean nothing in it, and a reader stands at its end, even at 0 when it is empty. */
export function isReplaced(reason: GapReason): boolean {
  return REPLACED.has(reason);
}
