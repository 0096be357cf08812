// Much work in pieces: names for one command, and calls under way at a time. Knows no Redis.

/** Calls under way at a time in work that concerns everything, so that the commands of clients still find their turn. */
const WIDTH = 200;
/** Names in one command. */
const BATCH = 500;

export function chunks<T>(all: readonly T[], size = BATCH): T[][] {
  return Array.from({ length: Math.ceil(all.length / size) }, (_, at) =>
    all.slice(at * size, (at + 1) * size),
  );
}

/** In chunks of which each lies in one place, in the order of their first. */
export function chunksByPlace<T>(
  all: Iterable<T>,
  placeOf: (one: T) => number | string,
  size: number,
): readonly T[][] {
  const places = new Map<number | string, T[]>();
  for (const one of all) {
    const place = placeOf(one);
    const there = places.get(place);
    if (there === undefined) places.set(place, [one]);
    else there.push(one);
  }
  return [...places.values()].flatMap((there) => chunks(there, size));
}

export async function inBatches<T>(all: readonly T[], run: (one: T) => Promise<void>): Promise<void> {
  for (let at = 0; at < all.length; at += WIDTH) await Promise.all(all.slice(at, at + WIDTH).map(run));
}
