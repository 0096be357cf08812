// Handlers of channel classes with everything Nest binds to them: what they get, what their results mean, what a client is told.

import {
  BadRequestException,
  ConflictException,
  ForbiddenException,
  GatewayTimeoutException,
  HttpException,
  NotFoundException,
  PayloadTooLargeException,
  ServiceUnavailableException,
  UnauthorizedException,
  createParamDecorator,
  type ExecutionContext,
} from '@nestjs/common';
import { describe, expect, it } from 'vitest';
import {
  Channel,
  ChannelName,
  ChannelParam,
  EventName,
  OnPublish,
  OnSubscribe,
  OnUnsubscribe,
  Payload,
  SessionId,
  TrunklineError,
  Who,
  type ChannelRequest,
  type Identity,
} from '../../src/index.js';
import { ANA, BEN, bootChannels, refusalOf } from './channels-app.js';

const UserName = createParamDecorator(
  (suffix: string, context: ExecutionContext) =>
    `${context.getType()} ${context.getArgByIndex<ChannelRequest>(0).identity.name}${suffix}`,
);

describe('what a handler is given', () => {
  @Channel('test:{id}:{part}')
  class Given {
    seen: unknown[] = [];

    @OnSubscribe()
    join(
      @Who() who: Identity,
      @ChannelParam('part') part: string,
      @ChannelParam('id') id: string,
      @ChannelName() channel: string,
    ): void {
      this.seen = [who, part, id, channel];
    }

    @OnUnsubscribe()
    leave(@Who() who: Identity, @ChannelName() channel: string): void {
      this.seen = [who.user, channel];
    }

    @OnPublish('note')
    note(
      @EventName() event: string,
      @Payload() payload: unknown,
      @UserName('!') name: string,
      @SessionId() session: string | undefined,
    ): void {
      this.seen = [event, payload, name, session];
    }

    @OnPublish('plain')
    plain(request: ChannelRequest): void {
      this.seen = [
        request.act,
        request.event,
        request.data,
        request.payload,
        request.payload,
        request.channel,
      ];
    }
  }

  it('is the identity and the parts of the name on subscribe and unsubscribe', async () => {
    const app = await bootChannels({ providers: [Given] });
    await app.subscribe('test:7:b', ANA);
    const channel = app.module.get(Given);
    expect(channel.seen).toEqual([ANA, 'b', '7', 'test:7:b']);
    await app.unsubscribe('test:7:b', BEN);
    expect(channel.seen).toEqual(['ben', 'test:7:b']);
  });

  it('is the event, the parsed payload, the session and what own decorators of the team make on publish', async () => {
    const app = await bootChannels({ providers: [Given] });
    await app.publish({ a: [1, null] }, { channel: 'test:7:b' });
    expect(app.module.get(Given).seen).toEqual(['note', { a: [1, null] }, 'trunkline Ana!', 's1']);
  });

  it('is the whole request when no parameter is decorated', async () => {
    const app = await bootChannels({ providers: [Given] });
    await app.publish(' {"a":1}', { channel: 'test:7:b', event: 'plain' });
    const { seen } = app.module.get(Given);
    expect(seen).toEqual(['publish', 'plain', ' {"a":1}', { a: 1 }, { a: 1 }, 'test:7:b']);
    expect(seen[3]).toBe(seen[4]);
  });
});

describe('which handler answers', () => {
  @Channel('test:{id}')
  class Named {
    @OnPublish('a', 'b')
    both(@EventName() event: string): object {
      return { by: `both ${event}` };
    }

    @OnPublish()
    rest(@EventName() event: string): object {
      return { by: `rest ${event}` };
    }
  }

  @Channel('only:{id}')
  class Only {
    @OnPublish('a')
    one(): object {
      return {};
    }
  }

  @Channel('none:{id}')
  class None {}

  it('is the one of the event, or the one without a name', async () => {
    const app = await bootChannels({ providers: [Named] });
    for (const [event, by] of [
      ['a', 'both a'],
      ['b', 'both b'],
      ['c', 'rest c'],
      ['__proto__', 'rest __proto__'],
    ] as const) {
      expect(await app.published({}, { event })).toEqual({ by });
    }
  });

  it('is none for an event without one, and nothing is awaited for it', async () => {
    const app = await bootChannels({ providers: [Only, None] });
    const { handlers } = app.resolve('only:1');
    expect(handlers?.onPublish('a')).toBeTypeOf('function');
    expect(handlers?.onPublish('b')).toBeUndefined();
    expect(handlers?.onPublish('constructor')).toBeUndefined();
    expect(handlers?.onSubscribe).toBeUndefined();
    expect(handlers?.onUnsubscribe).toBeUndefined();
    expect(app.resolve('none:1').handlers).toBeUndefined();
  });
});

describe('what a result means', () => {
  let result: unknown;

  @Channel('test:{id}')
  class Results {
    @OnSubscribe()
    join(): unknown {
      return result;
    }

    @OnPublish('note')
    async note(): Promise<unknown> {
      return result;
    }
  }

  it.each([
    ['an object', { a: 1, gone: undefined }, '{"a":1}'],
    ['a list', [1, { b: 2 }], '[1,{"b":2}]'],
    ['an object that says how it is written', { toJSON: () => 'x' }, '"x"'],
    ['nothing', undefined, undefined],
    ['true', true, undefined],
  ])('of publish: %s', async (_what, value, text) => {
    const app = await bootChannels({ providers: [Results] });
    result = value;
    expect(await app.publish({ in: 1 })).toBe(text);
  });

  it('of publish: false refuses', async () => {
    const app = await bootChannels({ providers: [Results] });
    result = false;
    expect((await refusalOf(app.publish({}))).code).toBe('forbidden');
  });

  const loop: { self?: unknown } = {};
  loop.self = loop;
  it.each([
    ['null', null, 'Results.note returned null'],
    ['a text', 'x', 'Results.note returned a string'],
    ['a number', 0, 'Results.note returned a number'],
    ['an object without a JSON form', { toJSON: () => undefined }, 'an object that JSON cannot carry'],
    ['a big number', { a: 1n }, 'BigInt'],
    ['a loop', loop, 'circular'],
  ])('of publish: %s is a fault of the server, never published', async (_what, value, sentence) => {
    const app = await bootChannels({ providers: [Results] });
    result = value;
    const failure = app.publish({});
    await expect(failure).rejects.toThrow(sentence);
    await expect(failure).rejects.not.toBeInstanceOf(TrunklineError);
  });

  it.each([undefined, true, { id: 1 }, 'yes', 1])('of subscribe: %j lets in', async (value) => {
    const app = await bootChannels({ providers: [Results] });
    result = value;
    await expect(app.subscribe('test:1')).resolves.toBeUndefined();
  });

  it('of unsubscribe: none, the session has left already', async () => {
    @Channel('bye:{id}')
    class Bye {
      @OnUnsubscribe()
      leave(): boolean {
        return false;
      }
    }
    const app = await bootChannels({ providers: [Bye] });
    await expect(app.unsubscribe('bye:1')).resolves.toBeUndefined();
  });

  it.each([false, null, 0, ''])('of subscribe: %j refuses', async (value) => {
    const app = await bootChannels({ providers: [Results] });
    result = value;
    expect((await refusalOf(app.subscribe('test:1'))).code).toBe('forbidden');
  });
});

describe('what a client is told when a handler throws', () => {
  let thrown: unknown;

  @Channel('test:{id}')
  class Thrower {
    @OnPublish()
    fail(): never {
      throw thrown;
    }

    @OnSubscribe()
    async join(): Promise<void> {
      throw thrown;
    }
  }

  it('is the very error when it has a code', async () => {
    const app = await bootChannels({ providers: [Thrower] });
    thrown = new TrunklineError('rate_limited', 'Slowly.', { retryAfterMs: 70 });
    expect(await refusalOf(app.publish({}))).toBe(thrown);
    expect(await refusalOf(app.subscribe('test:1'))).toBe(thrown);
    expect(app.logs.filter((line) => !line.startsWith('log'))).toEqual([]);
  });

  it.each([
    [new BadRequestException('No such thing.'), 'invalid_data', 'No such thing.'],
    [new UnauthorizedException('Who?'), 'unauthenticated', 'Who?'],
    [new ForbiddenException('Not you.'), 'forbidden', 'Not you.'],
    [new NotFoundException('Gone.'), 'unknown_channel', 'Gone.'],
    [new ConflictException('Taken.'), 'invalid_data', 'Taken.'],
    [new PayloadTooLargeException('Big.'), 'too_large', 'Big.'],
    [new HttpException('Slowly.', 429), 'rate_limited', 'Slowly.'],
    [new ServiceUnavailableException('Later.'), 'unavailable', 'Later.'],
    [new GatewayTimeoutException('db-7 is down'), 'internal', 'The server could not do this.'],
    [new HttpException('odd', 302), 'internal', 'The server could not do this.'],
  ])('follows the status of an HTTP exception: %s', async (exception, code, message) => {
    const app = await bootChannels({ providers: [Thrower] });
    thrown = exception;
    const refusal = await refusalOf(app.publish({}));
    expect([refusal.code, refusal.message]).toEqual([code, message]);
    expect(refusal.cause).toBe(exception);
    expect(app.logs.filter((line) => !line.startsWith('log'))).toEqual([]);
  });

  it.each([
    [
      new BadRequestException(['text must be a string', 'n must be a number']),
      [
        { path: '', message: 'text must be a string' },
        { path: '', message: 'n must be a number' },
      ],
    ],
    [
      new BadRequestException({ message: { 'a.b': ['must be a string', 'is short'], c: ['is gone'] } }),
      [
        { path: 'a.b', message: 'must be a string' },
        { path: 'a.b', message: 'is short' },
        { path: 'c', message: 'is gone' },
      ],
    ],
  ])('carries the messages of a validation pipe as details: %s', async (exception, details) => {
    const app = await bootChannels({ providers: [Thrower] });
    thrown = exception;
    const refusal = await refusalOf(app.publish({}));
    expect(refusal.code).toBe('invalid_data');
    expect(refusal.message).toMatch(/^("a\.b" must|text must) be a string\.$/);
    expect(refusal.details).toEqual(details);
  });

  it('is for core to hide and log when it has no code', async () => {
    const app = await bootChannels({ providers: [Thrower] });
    thrown = new Error('secret of the database');
    await expect(app.publish({})).rejects.toBe(thrown);
    await expect(app.subscribe('test:1')).rejects.toBe(thrown);
  });
});
