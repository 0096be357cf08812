// Three whole servers over one store: a reader leaves one by any transport and goes on at another one by any other, and nothing is
// lost or repeated. The old server may be gone by then.

import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { MemoryBackplaneModule } from '../../src/backplanes/memory/memory.module.js';
import { memoryOptions } from '../../src/backplanes/memory/memory.options.js';
import { MemoryStore } from '../../src/backplanes/memory/memory.store.js';
import { SYSTEM_CLOCK, SystemRandom } from '../../src/core/ports/time.js';
import { startE2e, type E2eServer } from '../support/e2e-server.js';
import { SeededRandom } from '../support/seeded-random.js';
import { TRANSPORTS } from '../support/transport-adapters.js';
import { disposeReaders, type Reader, type TransportAdapter } from '../support/transport-reader.js';
import { until } from '../support/wait.js';
import { changingReader, hasHeard, offsetsOf } from './changing-reader.part.js';

const RULES = [{ channel: 'room:{name}', subscribe: 'authenticated', history: { size: 2000, ttl: '1h' } }];
const upTo = (last: number, from = 1): number[] =>
  Array.from({ length: last - from + 1 }, (_, i) => from + i);

let servers: E2eServer[] = [];
let rooms = 0;

function startServer(store: MemoryStore): Promise<E2eServer> {
  return startE2e({ rules: RULES, boot: { backplane: MemoryBackplaneModule.forRoot({}, store) } });
}

async function startThree(): Promise<{ servers: E2eServer[]; store: MemoryStore }> {
  const parts = { options: memoryOptions.parse({}), clock: SYSTEM_CLOCK, random: new SystemRandom() };
  const store = new MemoryStore(parts);
  return { store, servers: [await startServer(store), await startServer(store), await startServer(store)] };
}

const serverAt = (place: number): E2eServer => servers[place % servers.length] as E2eServer;
const newRoom = (): string => `room:${++rooms}`;
async function publish(room: string, count: number, from: number): Promise<void> {
  for (let n = 0; n < count; n++) await serverAt(from + n).realtime.publish(room, 'n', n);
}

beforeAll(async () => {
  ({ servers } = await startThree());
});
afterEach(() => disposeReaders());
afterAll(() => Promise.all(servers.map((server) => server.close())));

changingReader(serverAt, newRoom);

describe('readers that wander over servers and transports under traffic', () => {
  it('see each message once, in order, and all the same', { timeout: 60_000 }, async () => {
    const random = new SeededRandom(20);
    const room = newRoom();
    const wanderers = await Promise.all(
      upTo(6).map(async (n) => ({
        name: `user${n}`,
        offsets: [] as number[],
        reader: await open(room, n, `user${n}`),
      })),
    );
    let published = 0;
    for (let round = 0; round < 25; round++) {
      const burst = 1 + random.below(8);
      const moving = wanderers.filter(() => random.below(3) === 0);
      const traffic = publish(room, burst, round);
      await Promise.all(
        moving.map(async (one) => {
          one.offsets.push(...offsetsOf(one.reader, room));
          const cursor = one.reader.cursor();
          one.reader.cut();
          one.reader = await open(room, random.below(12), one.name, cursor);
        }),
      );
      await traffic;
      published += burst;
    }
    const seen = (one: (typeof wanderers)[number]): number[] => [
      ...one.offsets,
      ...offsetsOf(one.reader, room),
    ];
    await until(() => wanderers.every((one) => seen(one).at(-1) === published), 'all to be at the top');
    for (const one of wanderers) expect(seen(one), one.name).toEqual(upTo(published));
  });

  function open(room: string, place: number, user: string, cursor?: string): Promise<Reader> {
    const adapter = TRANSPORTS[place % TRANSPORTS.length] as TransportAdapter;
    return adapter.open(serverAt(place), [room], { user, cursor });
  }
});

describe('a server that is gone', () => {
  it.each(TRANSPORTS.map((to): [string, TransportAdapter] => [to.name, to]))(
    'is followed by %s elsewhere, with all that was missed',
    async (_name, to) => {
      const cluster = await startThree();
      const [old, other] = cluster.servers as [E2eServer, E2eServer, E2eServer];
      const room = newRoom();
      const reader = await to.open(old, [room], { user: 'ana' });
      for (let n = 0; n < 3; n++) await other.realtime.publish(room, 'n', n);
      await hasHeard(reader, room, 3);
      const cursor = reader.cursor();
      await old.close();
      reader.cut();
      for (let n = 0; n < 3; n++) await other.realtime.publish(room, 'n', n);
      const next = await to.open(other, [room], { user: 'ana', cursor });
      await hasHeard(next, room, 6);
      expect(offsetsOf(next, room)).toEqual([4, 5, 6]);
      await Promise.all(cluster.servers.slice(1).map((server) => server.close()));
    },
  );
});
