// Which family a channel's name belongs to, classes and rules together, and how long the answer is remembered.

import { describe, expect, it } from 'vitest';
import { Channel, OnSubscribe, type ChannelOptions } from '../../src/index.js';
import type { ChannelRule } from '../../src/channels/rules-file.js';
import { bootChannels } from './channels-app.js';

@Channel('orders:{id}', { maxBytes: 1 })
class Orders {}

@Channel('orders:special', { maxBytes: 2 })
class Special {}

@Channel('guarded:{id}')
class Guarded {
  @OnSubscribe()
  join(): void {}
}

@Channel('guarded:{id}:open', { subscribe: 'anyone', historyAccess: 'authenticated' })
class Open {
  @OnSubscribe()
  join(): void {}
}

const rule = (channel: string, maxBytes: number, more: ChannelOptions = {}): ChannelRule => ({
  channel,
  maxBytes,
  ...more,
});

describe('the family of a channel', () => {
  const rules = [
    rule('*', 3),
    rule('orders:*', 4),
    rule('orders:{id}:{part}', 5),
    rule('orders:{id}:log', 6),
  ];

  it.each([
    ['orders:1', 1],
    ['orders:special', 2],
    ['orders:1:x', 5],
    ['orders:1:log', 6],
    ['orders:1:x:y', 4],
    ['orders:special:x', 5],
    ['orders', 3],
    ['else', 3],
    ['else:where:far', 3],
  ])('of %s is the narrowest that matches', async (channel, maxBytes) => {
    const app = await bootChannels({ providers: [Orders, Special], rules });
    expect(app.resolve(channel).policy.maxBytes).toBe(maxBytes);
  });

  it('is none when nothing matches', async () => {
    const app = await bootChannels({ providers: [Orders] });
    for (const channel of ['orders', 'orders:', ':1', 'orders:1:2', 'Orders:1', 'else', '']) {
      expect(app.router.resolve(channel), channel).toBeUndefined();
    }
  });

  it('is the class when a rule matches the same names, and the log says so', async () => {
    const app = await bootChannels({ providers: [Orders], rules: [rule('orders:{orderId}', 9)] });
    expect(app.resolve('orders:1').policy.maxBytes).toBe(1);
    expect(app.logs).toContain(
      'warn The rule for orders:{orderId} is not used: class Orders goes before it.',
    );
  });

  it('comes with the parameters of the name', async () => {
    const app = await bootChannels({ rules });
    expect([...app.resolve('orders:7:parts').params]).toEqual([
      ['id', '7'],
      ['part', 'parts'],
    ]);
    expect(app.resolve('else').params.size).toBe(0);
  });

  it('says who may read its history only when the class does', async () => {
    const app = await bootChannels({ providers: [Guarded, Open, Orders] });
    expect(app.resolve('guarded:1').policy.historyAccess).toBeUndefined();
    expect(app.resolve('guarded:1:open').policy.historyAccess).toBe('authenticated');
    expect(app.resolve('orders:1').policy.historyAccess).toBeUndefined();
  });
});

describe('the answer', () => {
  it('is the same object for the same name', async () => {
    const app = await bootChannels({ providers: [Orders] });
    const first = app.resolve('orders:1');
    expect(app.resolve('orders:1')).toBe(first);
    expect(app.resolve('orders:2')).not.toBe(first);
    expect(app.resolve('orders:2').policy).toBe(first.policy);
  });

  it('is kept for names in use, and forgotten for names that were asked once among many', async () => {
    const app = await bootChannels({ providers: [Orders] });
    const [busy, idle] = [app.resolve('orders:busy'), app.resolve('orders:idle')];
    for (let i = 0; i < 20_000; i++) {
      app.resolve(`orders:${i}`);
      if (i % 1000 === 0) app.resolve('orders:busy');
    }
    expect(app.resolve('orders:busy')).toBe(busy);
    expect(app.resolve('orders:idle')).not.toBe(idle);
  });
});
