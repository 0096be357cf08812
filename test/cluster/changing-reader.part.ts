// A reader that changes its server and its transport at the same time, on any store that three servers share. Knows no store.

import { describe, expect, it } from 'vitest';
import type { E2eServer } from '../support/e2e-server.js';
import { TRANSPORTS } from '../support/transport-adapters.js';
import type { Reader, TransportAdapter } from '../support/transport-reader.js';
import { until } from '../support/wait.js';

const upTo = (last: number): number[] => Array.from({ length: last }, (_, i) => i + 1);

export const offsetsOf = (reader: Reader, room: string): number[] =>
  reader.messages(room).map(({ offset }) => offset);

export const hasHeard = (reader: Reader, room: string, last: number): Promise<void> =>
  until(() => offsetsOf(reader, room).at(-1) === last, `message ${last}`);

const PAIRS = TRANSPORTS.flatMap((from) =>
  TRANSPORTS.map((to): [string, string, TransportAdapter, TransportAdapter] => [
    from.name,
    to.name,
    from,
    to,
  ]),
);

/** `serverAt` takes any number; rooms keep a history. */
export function changingReader(serverAt: (place: number) => E2eServer, newRoom: () => string): void {
  describe('a reader that changes its server', () => {
    async function publish(room: string, count: number, from: number): Promise<void> {
      for (let n = 0; n < count; n++) await serverAt(from + n).realtime.publish(room, 'n', n);
    }

    it.each(PAIRS)('goes on from %s to %s', async (_from, _to, from, to) => {
      const room = newRoom();
      const first = await from.open(serverAt(0), [room], { user: 'ana' });
      await publish(room, 5, 0);
      await hasHeard(first, room, 5);
      const cursor = first.cursor();
      first.cut();
      await publish(room, 4, 1);
      const second = await to.open(serverAt(1), [room], { user: 'ana', cursor });
      await publish(room, 3, 2);
      await hasHeard(second, room, 12);
      expect([...offsetsOf(first, room), ...offsetsOf(second, room)]).toEqual(upTo(12));
      expect(second.gaps(room)).toEqual([]);
      const third = await from.open(serverAt(2), [room], { user: 'ana', cursor: second.cursor() });
      await publish(room, 1, 0);
      await hasHeard(third, room, 13);
      expect(offsetsOf(third, room), 'nothing twice').toEqual([13]);
    });
  });
}
