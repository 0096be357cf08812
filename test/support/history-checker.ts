// Judges a whole run: what publishers were told, what subscribers saw, and whether one order explains it all. Knows no transport.

/** One publish, as its publisher knows it. Times are of one monotonic clock, in ms. */
export interface Published {
  /** What the payload says it is; no two publications share it. */
  readonly mark: string;
  readonly invoked: number;
  readonly answered: number;
  /** Undefined when it was refused. */
  readonly place: { readonly epoch: string; readonly offset: number; readonly id: string } | undefined;
}

export interface Delivered {
  readonly mark: string;
  readonly epoch: string;
  readonly offset: number;
  readonly id: string;
  readonly at: number;
}

/** What one session saw of the channel between two discontinuities. */
export interface Run {
  readonly name: string;
  /** Where the subscribe reply put it. */
  readonly from: { readonly epoch: string; readonly offset: number };
  readonly seen: readonly Delivered[];
  /** True when it was still subscribed after the last publish was answered. */
  readonly toTheEnd: boolean;
}

export interface History {
  readonly published: readonly Published[];
  readonly runs: readonly Run[];
}

/** Throws at the first breach. O(n log n). */
export function checkHistory({ published, runs }: History): void {
  const accepted = published.filter((entry): entry is Accepted => entry.place !== undefined);
  const top = checkPlaces(accepted);
  checkRealTime(accepted);
  const byOffset = new Map(accepted.map((entry) => [entry.place.offset, entry]));
  const marks = new Map(published.map((entry) => [entry.mark, entry]));
  for (const run of runs) {
    checkRun(run);
    for (const delivery of run.seen) {
      const source = marks.get(delivery.mark);
      if (source === undefined) throw new Error(`${run.name} saw ${delivery.mark}, which nobody published.`);
      if (source.place === undefined) throw new Error(`${run.name} saw ${delivery.mark}, which was refused.`);
      if (delivery.at < source.invoked)
        throw new Error(`${run.name} saw ${delivery.mark} before it was sent.`);
      const owner = byOffset.get(delivery.offset);
      if (
        owner?.mark !== delivery.mark ||
        owner.place.id !== delivery.id ||
        owner.place.epoch !== delivery.epoch
      )
        throw new Error(
          `${run.name} saw ${delivery.mark} at ${delivery.offset}; its publisher was told otherwise.`,
        );
    }
    const last = run.seen.at(-1)?.offset ?? run.from.offset;
    if (run.toTheEnd && last !== top) throw new Error(`${run.name} ended at ${last}; the top is ${top}.`);
  }
}

type Accepted = Published & { readonly place: NonNullable<Published['place']> };

/** One epoch, offsets 1 … top without a hole, one id and one mark an offset. Gives the top. */
function checkPlaces(accepted: readonly Accepted[]): number {
  const [first] = accepted;
  const ids = new Set<string>();
  const offsets = new Set<number>();
  for (const { mark, place } of accepted) {
    if (place.epoch !== first?.place.epoch) throw new Error(`${mark} is of another epoch.`);
    if (offsets.has(place.offset)) throw new Error(`Offset ${place.offset} was given twice.`);
    if (ids.has(place.id)) throw new Error(`Id ${place.id} was given twice.`);
    offsets.add(place.offset);
    ids.add(place.id);
  }
  for (let offset = 1; offset <= accepted.length; offset++)
    if (!offsets.has(offset)) throw new Error(`Offset ${offset} was given to nobody.`);
  return accepted.length;
}

/** What was answered before another was sent stands before it. */
function checkRealTime(accepted: readonly Accepted[]): void {
  const byAnswer = [...accepted].sort((a, b) => a.answered - b.answered);
  const byInvoke = [...accepted].sort((a, b) => a.invoked - b.invoked);
  let highest: Accepted | undefined;
  let at = 0;
  for (const entry of byInvoke) {
    for (let done = byAnswer[at]; done !== undefined && done.answered < entry.invoked; done = byAnswer[++at])
      if (highest === undefined || done.place.offset > highest.place.offset) highest = done;
    if (highest !== undefined && highest.place.offset >= entry.place.offset)
      throw new Error(`${entry.mark} stands before ${highest.mark}, which was answered before it was sent.`);
  }
}

function checkRun({ name, from, seen }: Run): void {
  let offset = from.offset;
  for (const delivery of seen) {
    if (delivery.epoch !== from.epoch) throw new Error(`${name} saw another epoch without being told.`);
    if (delivery.offset !== offset + 1) throw new Error(`${name} saw ${delivery.offset} after ${offset}.`);
    offset = delivery.offset;
  }
}
