// The memory backplane as a Nest module: alone, with the application's clock, and as a cluster of two applications in a process.

import { Global, Module } from '@nestjs/common';
import { Test } from '@nestjs/testing';
import { describe, expect, it } from 'vitest';
import { MemoryBackplane } from '../../src/backplanes/memory/memory.backplane.js';
import { MemoryBackplaneModule } from '../../src/backplanes/memory/memory.module.js';
import { memoryOptions } from '../../src/backplanes/memory/memory.options.js';
import { MemoryStore } from '../../src/backplanes/memory/memory.store.js';
import type { Backplane } from '../../src/core/ports/backplane.js';
import { BACKPLANE, CLOCK, RANDOM } from '../../src/core/tokens.js';
import { FakeClock, START_MS } from '../support/fake-clock.js';
import { RecordingListener } from '../support/recording-listener.js';
import { SeededRandom } from '../support/seeded-random.js';

const draft = { event: 'e', data: '1', from: undefined, key: undefined };
const options = { history: { size: 5, ttlMs: 60_000 }, idempotencyKey: undefined, except: undefined };

@Global()
@Module({
  providers: [
    { provide: CLOCK, useClass: FakeClock },
    { provide: RANDOM, useFactory: () => new SeededRandom(5) },
  ],
  exports: [CLOCK, RANDOM],
})
class TimeModule {}

describe('memory module', () => {
  it('provides the backplane with nothing else in the application', async () => {
    const app = await Test.createTestingModule({ imports: [MemoryBackplaneModule.forRoot()] }).compile();
    const backplane = app.get<Backplane>(BACKPLANE);
    expect(backplane).toBeInstanceOf(MemoryBackplane);
    await backplane.start(new RecordingListener());
    const { position } = await backplane.append('a', draft, options);
    const { publications } = await backplane.read('a', { after: 0, limit: 9, reverse: false });
    expect(publications.map(({ id }) => id)).toEqual([position.id]);
    expect(Math.abs((publications[0]?.time ?? 0) - Date.now())).toBeLessThan(60_000);
    await backplane.stop();
    await app.close();
  });

  it('takes clock and chance of the application', async () => {
    const imports = [TimeModule, MemoryBackplaneModule.forRoot()];
    const app = await Test.createTestingModule({ imports }).compile();
    const backplane = app.get<Backplane>(BACKPLANE);
    await backplane.start(new RecordingListener());
    const { position } = await backplane.append('a', draft, options);
    expect(position.id).toBe(new SeededRandom(5).id(8));
    const { publications } = await backplane.read('a', { after: 0, limit: 9, reverse: false });
    expect(publications[0]?.time).toBe(START_MS);
    await backplane.stop();
    await app.close();
  });

  it('joins applications that are given one store', async () => {
    const store = new MemoryStore({
      options: memoryOptions.parse({}),
      clock: new FakeClock(),
      random: new SeededRandom(),
    });
    const build = async (): Promise<Backplane> => {
      const app = await Test.createTestingModule({
        imports: [MemoryBackplaneModule.forRoot({}, store)],
      }).compile();
      return app.get<Backplane>(BACKPLANE);
    };
    const [one, two] = [await build(), await build()];
    const ear = new RecordingListener();
    await one.start(new RecordingListener());
    await two.start(ear);
    await two.subscribe('a');
    await one.append('a', draft, options);
    expect(ear.offsets('a')).toEqual([1]);
    await Promise.all([one.stop(), two.stop()]);
  });

  it('refuses options that mean nothing, when the application is put together', () => {
    expect(() => MemoryBackplaneModule.forRoot({ maxChannels: -1 })).toThrow(/maxChannels/);
  });
});
