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

export async function inBatches<T>(all: readonly T[], run: (one: T) => Promise<void>): Promise<void> {
  for (let at = 0; at < all.length; at += WIDTH) await Promise.all(all.slice(at, at + WIDTH).map(run));
}
