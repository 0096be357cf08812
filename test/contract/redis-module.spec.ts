// The Redis backplane as a Nest module: options and connections of the application's own, and what is said of a Redis at the start.

import { Module } from '@nestjs/common';
import { Test } from '@nestjs/testing';
import { Redis } from 'ioredis';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { checkRedis } from '../../src/backplanes/redis/redis.checks.js';
import { clientDefaults, type ClientDefaults } from '../../src/backplanes/redis/redis.connection.js';
import { RedisBackplaneModule } from '../../src/backplanes/redis/redis.module.js';
import { redisOptions, type RedisSettings } from '../../src/backplanes/redis/redis.options.js';
import { SILENT_LOGGER } from '../../src/core/ports/application.js';
import type { Backplane } from '../../src/core/ports/backplane.js';
import { BACKPLANE } from '../../src/core/tokens.js';
import { RecordingListener } from '../support/recording-listener.js';
import { startStandalone, type RedisFleet } from '../support/redis-fleet.js';
import { freshPrefix } from '../support/redis-nodes.js';

const HISTORY = { size: 10, ttlMs: 60_000 };
const ADDRESS = Symbol('ADDRESS');

let fleet: RedisFleet;
beforeAll(async () => {
  fleet = await startStandalone();
});
afterAll(() => fleet.stop());

@Module({ providers: [{ provide: ADDRESS, useFactory: () => fleet.url }], exports: [ADDRESS] })
class PlaceModule {}

describe('RedisBackplaneModule.forRootAsync', () => {
  it('takes options and connections from providers of the application', async () => {
    const made = new Map<string, ClientDefaults>();
    const connect = (role: string, defaults: ClientDefaults): Redis => {
      made.set(role, defaults);
      return new Redis({ ...defaults, connectionName: `own-${role}` });
    };
    const app = await Test.createTestingModule({
      imports: [
        RedisBackplaneModule.forRootAsync({
          imports: [PlaceModule],
          inject: [ADDRESS],
          useFactory: (url: string) => ({
            options: { url, prefix: freshPrefix(), connectTimeoutMs: 1234 },
            connect,
          }),
        }),
      ],
    }).compile();
    const backplane = app.get<Backplane>(BACKPLANE, { strict: false });
    const ear = new RecordingListener();
    await backplane.start(ear);
    await backplane.subscribe('room');
    const draft = { event: 'n', data: '1', from: undefined, key: undefined };
    const options = { history: HISTORY, idempotencyKey: undefined, except: undefined };
    expect((await backplane.append('room', draft, options)).position.offset).toBe(1);
    await ear.until('it', () => ear.offsets('room').length === 1);
    const admin = new Redis(fleet.url);
    const names = String(await admin.client('LIST')).match(/(?<= name=)own-\S+/g);
    admin.disconnect();
    expect(names?.toSorted((a, b) => a.localeCompare(b))).toEqual(['own-bus', 'own-commands']);
    const ours = {
      host: '127.0.0.1',
      port: Number(new URL(fleet.url).port),
      lazyConnect: true,
      enableOfflineQueue: false,
      maxRetriesPerRequest: 0,
      autoResubscribe: false,
      connectTimeout: 1234,
      socketTimeout: 3000,
    };
    expect(made.get('commands')).toMatchObject({ ...ours, commandTimeout: 3000 });
    expect(made.get('bus')).toMatchObject(ours);
    expect(made.get('bus')).not.toHaveProperty('commandTimeout');
    await backplane.stop();
    await app.close();
  });
});

describe('RedisBackplaneModule.forRoot', () => {
  it.each<[RedisSettings, string]>([
    [{ beatMs: 4000 }, 'must be a number below a third of nodeTtlMs'],
    [{ nodeTtlMs: 120_000 }, 'must be a number below entryTtlMs'],
  ])('refuses %j, with which the living would be taken for dead', async (options, says) => {
    const made = Test.createTestingModule({ imports: [RedisBackplaneModule.forRoot({ options })] }).compile();
    await expect(made).rejects.toThrow(says);
  });
});

describe('connections that the application makes in a Cluster', () => {
  it('are given what holds for each node, and no place', () => {
    const parts = {
      options: redisOptions.parse({ url: 'rediss://ann:secret@a:1,rediss://b:2' }),
      logger: SILENT_LOGGER,
      random: Math.random,
    };
    const defaults = clientDefaults('commands', parts);
    expect(defaults).toMatchObject({ username: 'ann', password: 'secret', tls: {}, maxRetriesPerRequest: 0 });
    expect(Object.keys(defaults)).not.toEqual(expect.arrayContaining(['host']));
  });
});

describe('at the start', () => {
  async function findings(...settings: readonly (readonly [string, string])[]): Promise<string> {
    const client = new Redis(fleet.url);
    const before = await Promise.all(settings.map(([name]) => client.config('GET', name)));
    try {
      for (const [name, value] of settings) await client.config('SET', name, value);
      return (await checkRedis({ client, logger: SILENT_LOGGER, sharded: false })).join(' ');
    } finally {
      for (const pair of before) await client.config('SET', ...(pair as [string, string]));
      client.disconnect();
    }
  }

  it.each([
    ['evicts keys', 'maxmemory-policy', 'allkeys-lru', /maxmemory-policy allkeys-lru.*noeviction/],
    [
      'cuts a bus that is a little behind',
      'client-output-buffer-limit',
      'pubsub 8388608 0 0',
      /8 MiB behind/,
    ],
    ['keeps nothing and has no replica', 'appendonly', 'no', /no replica and no append-only file/],
  ])('a Redis that %s is told of', async (_what, name, value, says) => {
    expect(await findings([name, value])).toMatch(says);
  });

  it('nothing is said of one that is as it should be', async () => {
    const good = [
      ['maxmemory-policy', 'noeviction'],
      ['client-output-buffer-limit', 'pubsub 268435456 67108864 60'],
      ['appendonly', 'yes'],
    ] as const;
    expect(await findings(...good)).toBe('');
  });
});
