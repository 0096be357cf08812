// What a position is worth against the log: exactly what was missed, in order, or a refusal with its reason. Pure; asks no log.

import type { Position } from '../protocol/position.js';
import type { GapReason, Publication, ResumeRefusal } from '../protocol/publication.js';
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

/** What to ask the log for, so that `judge` can tell. */
export function resumeQuestion(since: Position, { resumeMessages }: ResumeBounds): ReadOptions {
  return { after: since.offset, limit: resumeMessages + 1, reverse: false };
}

/** All or nothing: a part of what was missed is never given. */
export function judge(since: Position, slice: LogSlice, bounds: ResumeBounds): Verdict {
  const reason = refusal(since, slice, bounds);
  const recovered = reason === undefined;
  return { position: slice.top, messages: recovered ? slice.publications : [], recovered, reason };
}

function refusal(
  since: Position,
  { top, publications, idAtAfter }: LogSlice,
  { resumeMessages, resumeBytes }: ResumeBounds,
): ResumeRefusal | undefined {
  if (since.epoch !== top.epoch) return 'epoch_changed';
  if (since.offset > top.offset) return 'ahead';
  const seen = since.offset === top.offset ? top.id : idAtAfter;
  if (since.id !== '' && seen !== undefined && seen !== '' && seen !== since.id) return 'id_mismatch';
  const missed = top.offset - since.offset;
  if (missed > 0 && publications[0]?.offset !== since.offset + 1) return 'expired';
  if (missed > resumeMessages || publications.length !== missed) return 'too_many';
  return bytesOf(publications) > resumeBytes ? 'too_many' : undefined;
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
