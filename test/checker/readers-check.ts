// The rules about readers: contiguous between discontinuities, nothing strange, nothing outside a subscription, at the top at rest.

import type { Facts } from './facts.js';
import type { Entry } from './history.js';

type Begin = Extract<Entry, { k: 'begin' }>;
type Seen = Extract<Entry, { k: 'msg' }>;

/** One reader in one channel, while it is subscribed. */
interface Run {
  readonly reader: string;
  readonly channel: string;
  epoch: string;
  offset: number;
  /** The line of what it saw last. */
  at: number;
}

export function checkReaders(facts: Facts): void {
  const runs = new Map<string, Run>();
  for (const { at, entry } of facts.lines) {
    if (entry.k === 'begin') {
      if (entry.why !== undefined && !facts.mayGap(entry.c, entry.why))
        facts.breach('discontinuity', `${entry.s} was told ${entry.why} in ${entry.c}.`, at);
      runs.set(nameOf(entry), {
        reader: entry.s,
        channel: entry.c,
        epoch: entry.epoch,
        offset: entry.offset,
        at,
      });
    } else if (entry.k === 'leave') runs.delete(nameOf(entry));
    else if (entry.k === 'msg') checkSeen(facts, { entry, at, run: runs.get(nameOf(entry)) });
  }
  for (const run of runs.values()) checkRest(facts, run);
}

function nameOf({ s, c }: Begin | Seen | Extract<Entry, { k: 'leave' }>): string {
  return `${s} ${c}`;
}

/** Rules 5, 7 and 9. */
function checkSeen(facts: Facts, seen: { entry: Seen; at: number; run: Run | undefined }): void {
  const { entry, at, run } = seen;
  const { s, c, op, epoch, offset } = entry;
  if (run === undefined) return facts.breach('9', `${s} saw ${offset} of ${c} outside a subscription.`, at);
  if (epoch !== run.epoch)
    facts.breach('5', `${s} saw epoch ${epoch} of ${c} after ${run.epoch} without being told.`, run.at, at);
  else if (offset !== run.offset + 1)
    facts.breach('5', `${s} saw ${offset} of ${c} after ${run.offset}.`, run.at, at);
  run.epoch = epoch;
  run.offset = offset;
  run.at = at;
  const source = facts.operations.get(op);
  if (source === undefined || source.channel !== c)
    facts.breach('7', `${s} saw publication ${op} in ${c}, where nobody published it.`, at);
  else if (entry.t < source.invoked) facts.breach('7', `${s} saw publication ${op} before it was sent.`, at);
}

/** Rule 10. Where nobody read the log at the end there is nothing to compare with. */
function checkRest(facts: Facts, { reader, channel, epoch, offset, at }: Run): void {
  const top = facts.tops.get(channel);
  if (top === undefined) return;
  if (top.epoch !== epoch)
    facts.breach('10', `${reader} rests in epoch ${epoch} of ${channel}, which is at ${top.epoch}.`, at);
  else if (top.offset !== offset)
    facts.breach('10', `${reader} rests at ${offset} of ${channel}; the top is ${top.offset}.`, at);
}
