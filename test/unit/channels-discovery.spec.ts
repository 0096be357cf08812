// Which classes become channels, wherever they are provided, and the sentence a team gets when one cannot.

import {
  Body,
  Inject,
  Injectable,
  Module,
  Query,
  Scope,
  UseGuards,
  type CanActivate,
  type Type,
} from '@nestjs/common';
import { APP_GUARD, LazyModuleLoader, ModuleRef } from '@nestjs/core';
import { describe, expect, it } from 'vitest';
import {
  Channel,
  ChannelName,
  ChannelParam,
  OnConnect,
  OnPublish,
  OnSubscribe,
  OnUnsubscribe,
  Payload,
  Who,
  type ChannelOptions,
} from '../../src/index.js';
import type { ChannelRouter } from '../../src/core/ports/application.js';
import { CHANNEL_ROUTER } from '../../src/core/tokens.js';
import { bootChannels, bootFailure, refusalOf } from './channels-app.js';

@Injectable()
class Greeter {
  greet(name: string): string {
    return `Hello ${name}`;
  }
}

@Injectable()
class Nobody implements CanActivate {
  constructor(@Inject(Greeter) readonly greeter: Greeter) {}

  canActivate(): boolean {
    return false;
  }
}

@Channel('hello:{name}')
class HelloChannel {
  constructor(private readonly greeter: Greeter) {}

  @OnPublish('note')
  note(@ChannelParam('name') name: string): object {
    return { text: this.greeter.greet(name) };
  }

  @UseGuards(Nobody)
  @OnSubscribe()
  join(): void {}
}

@Module({ providers: [HelloChannel, Greeter] })
class HelloModule {}

@Module({ imports: [HelloModule] })
class OuterModule {}

const HELLO = { channel: 'hello:ana' };

describe('a channel class is found', () => {
  it.each<[string, object]>([
    ['in a module of the application', { imports: [HelloModule] }],
    ['in a module that another imports', { imports: [OuterModule] }],
    ['under another token', { providers: [{ provide: 'HELLO', useClass: HelloChannel }, Greeter] }],
    [
      'once, under an alias',
      { providers: [HelloChannel, Greeter, { provide: 'HI', useExisting: HelloChannel }] },
    ],
  ])('%s, with what it injects and its guards', async (_where, parts) => {
    const app = await bootChannels(parts);
    expect(await app.published({}, HELLO)).toEqual({ text: 'Hello ana' });
    expect((await refusalOf(app.subscribe('hello:ana'))).code).toBe('forbidden');
  });

  it('built by a factory', async () => {
    @Channel('made:{x}')
    class Made {
      constructor(private readonly text: string) {}

      @OnPublish()
      any(): object {
        return { text: this.text };
      }
    }
    const app = await bootChannels({
      providers: [{ provide: Made, useFactory: async () => new Made('by hand') }],
    });
    expect(await app.published({}, { channel: 'made:1' })).toEqual({ text: 'by hand' });
  });

  it('with the handlers of the class it extends', async () => {
    abstract class Base {
      abstract readonly word: string;

      @OnPublish('note')
      note(@ChannelParam('x') x: string): object {
        return { text: `${this.word} ${x}` };
      }

      @OnPublish('gone')
      gone(): object {
        return {};
      }
    }
    @Channel('sub:{x}')
    class Sub extends Base {
      readonly word = 'sub';

      override gone(): object {
        return {};
      }
    }
    const app = await bootChannels({ providers: [Sub] });
    expect(await app.published({}, { channel: 'sub:1' })).toEqual({ text: 'sub 1' });
    expect(app.resolve('sub:1').handlers?.onPublish('gone')).toBeUndefined();
  });

  it('before the first hook of a module asks for it', async () => {
    let seen: unknown;
    @Module({})
    class Early {
      constructor(@Inject(ModuleRef) private readonly ref: ModuleRef) {}

      onModuleInit(): void {
        seen = this.ref.get<ChannelRouter>(CHANNEL_ROUTER, { strict: false }).resolve('hello:x')?.handlers;
      }
    }
    const app = await bootChannels({ imports: [Early, HelloModule] });
    expect(seen).toBeDefined();
    expect(app.resolve('hello:x').handlers).toBe(seen);
  });

  it('is told in the log, one line a class', async () => {
    const app = await bootChannels({ imports: [HelloModule] });
    expect(app.logs).toContain('log hello:{name} is served by class HelloChannel.');
  });
});

describe('a channel class in a module that is loaded later', () => {
  it('serves from then on, with its guards, and goes before a rule that served until then', async () => {
    const app = await bootChannels({ rules: [{ channel: 'hello:*', publish: 'nobody' }] });
    const before = app.resolve('hello:ana');
    expect([before.policy.publish, before.handlers]).toEqual(['nobody', undefined]);
    let release = (_greeter: Greeter): void => {};
    const greeter = new Promise<Greeter>((resolve) => (release = resolve));
    const factory = { asked: false };
    const useFactory = (): Promise<Greeter> => {
      factory.asked = true;
      return greeter;
    };
    @Module({ providers: [HelloChannel, { provide: Greeter, useFactory }] })
    class SlowModule {}
    const loading = app.module.get(LazyModuleLoader).load(() => SlowModule);
    while (!factory.asked) {
      expect(app.resolve('hello:ana')).toBe(before);
      await Promise.resolve();
    }
    await new Promise(setImmediate);
    expect(app.resolve('hello:ana')).toBe(before);
    release(new Greeter());
    await loading;
    expect(await app.published({}, HELLO)).toEqual({ text: 'Hello ana' });
    expect((await refusalOf(app.subscribe('hello:ana'))).code).toBe('forbidden');
  });

  it('is left out with an error in the log when it is faulty, and the others go on', async () => {
    @Channel('hello:{other}')
    class Twin {}
    @Module({ providers: [Twin] })
    class TwinModule {}
    const app = await bootChannels({ imports: [HelloModule] });
    await app.module.get(LazyModuleLoader).load(() => TwinModule);
    expect(await app.published({}, HELLO)).toEqual({ text: 'Hello ana' });
    expect(app.logs.filter((line) => line.startsWith('error'))).toEqual([
      'error A class that was loaded later is left out. class Twin ("hello:{other}") and class HelloChannel ' +
        '("hello:{name}") match the same channels.',
    ]);
  });
});

function channelClass(pattern: string, options: unknown = {}): Type<unknown> {
  @Channel(pattern, options as ChannelOptions)
  class Bad {}
  return Bad;
}

describe('the boot fails', () => {
  it.each<[string, unknown, string]>([
    [
      'an unknown option',
      { evens: ['a'] },
      'The options of Bad cannot be used: has the unknown field "evens".',
    ],
    ['a bad access', { publish: 'all' }, 'publish must be one of "anyone"'],
    ['a bad ttl', { history: { size: 1, ttl: 'soon' } }, 'history.ttl must be a length of time'],
    ['no object', 'events', 'must be an object of channel options'],
    ['replay without history', { replayLast: true }, 'replayLast needs "history"'],
    ['two faults', { presence: 1, maxBytes: -1 }, 'presence must be true or false; maxBytes must be'],
  ])('for options with %s', async (_what, options, sentence) => {
    expect(await bootFailure({ providers: [channelClass('bad:{x}', options)] })).toContain(sentence);
  });

  it.each([
    ['', 'A channel pattern must not be empty.'],
    ['a:*:b', 'has a "*" that is not its last segment'],
    ['a:{x}{y}', 'neither text, {name} nor "*"'],
    ['a:{x}:{x}', 'names a parameter twice'],
  ])('for the pattern "%s"', async (pattern, sentence) => {
    const message = await bootFailure({ providers: [channelClass(pattern)] });
    expect(message).toContain('The pattern of Bad cannot be used.');
    expect(message).toContain(sentence);
  });

  it('for two classes that match the same names', async () => {
    @Channel('twin:{a}')
    class One {}
    @Channel('twin:{b}')
    class Two {}
    expect(await bootFailure({ providers: [One, Two] })).toBe(
      'class Two ("twin:{b}") and class One ("twin:{a}") match the same channels.',
    );
  });

  it('for one class in two modules', async () => {
    @Module({ providers: [HelloChannel, Greeter] })
    class Again {}
    expect(await bootFailure({ imports: [HelloModule, Again] })).toContain(
      'class HelloChannel with the pattern "hello:{name}" is provided by two modules.',
    );
  });

  it('for two handlers of one thing', async () => {
    @Channel('a:{x}')
    class Events {
      @OnPublish('note')
      one(): void {}

      @OnPublish('other', 'note')
      two(): void {}
    }
    @Channel('b:{x}')
    class Rest {
      @OnPublish()
      one(): void {}

      @OnPublish()
      two(): void {}
    }
    @Channel('c:{x}')
    class Joins {
      @OnSubscribe()
      one(): void {}

      @OnSubscribe()
      two(): void {}
    }
    @Channel('d:{x}')
    class Leaves {
      @OnUnsubscribe()
      one(): void {}

      @OnUnsubscribe()
      two(): void {}
    }
    expect(await bootFailure({ providers: [Events] })).toBe(
      'Events has two handlers for the event "note": one and two.',
    );
    expect(await bootFailure({ providers: [Rest] })).toBe(
      'Rest has two handlers for events without a handler of their own: one and two.',
    );
    expect(await bootFailure({ providers: [Joins] })).toBe(
      'Joins has two handlers for subscribe: one and two.',
    );
    expect(await bootFailure({ providers: [Leaves] })).toBe(
      'Leaves has two handlers for unsubscribe: one and two.',
    );
  });

  it('for a handler of an event that cannot come', async () => {
    @Channel('a:{x}', { events: ['note'] })
    class Excluded {
      @OnPublish('nota')
      nota(): void {}
    }
    @Channel('b:{x}')
    class Unspeakable {
      @OnPublish('two words')
      two(): void {}
    }
    expect(await bootFailure({ providers: [Excluded] })).toBe(
      'Excluded has a handler for "nota", which its "events" does not allow.',
    );
    expect(await bootFailure({ providers: [Unspeakable] })).toContain(
      '"two words", which is not an event name',
    );
  });

  it('for a channel handler in a class that is no channel', async () => {
    @Injectable()
    class Lost {
      @OnPublish()
      any(): void {}
    }
    expect(await bootFailure({ providers: [Lost] })).toBe(
      'Lost.any is a channel handler, but Lost has no @Channel(pattern).',
    );
  });

  class Ruleless {
    readonly text!: string;
  }

  it('for a parameter that would never have a value', async () => {
    @Channel('a:{id}')
    class Misspelt {
      @OnSubscribe()
      join(@ChannelParam('ID') id: string): boolean {
        return id !== '';
      }
    }
    @Channel('b')
    class Bare {
      @OnSubscribe()
      join(@ChannelParam('id') id: string): boolean {
        return id !== '';
      }
    }
    @Channel('c:{id}')
    class TooEarly {
      @OnSubscribe()
      join(@Payload() payload: unknown): boolean {
        return payload !== undefined;
      }
    }
    @Channel('d:{id}')
    class Web {
      @OnPublish()
      any(@Who() _who: unknown, @Query('q') _q: string): void {}
    }
    @Channel('e:{id}')
    class Unchecked {
      @OnPublish()
      any(@Body() _body: object): void {}
    }
    @Channel('f:{id}')
    class NoRules {
      @OnPublish()
      any(@Payload() _dto: Ruleless): void {}
    }
    @Injectable()
    class Hook {
      @OnConnect()
      connect(@ChannelName() _channel: string): void {}
    }
    for (const [provider, sentence] of [
      [Misspelt, 'Misspelt.join asks for @ChannelParam("ID"), but the pattern of its channel has only {id}.'],
      [Bare, 'Bare.join asks for @ChannelParam("id"), but the pattern of its channel has no parameters.'],
      [TooEarly, 'TooEarly.join asks for @Payload(), which is not known on subscribe.'],
      [
        Web,
        'Web.any has a parameter decorator of HTTP at position 2; a channel handler has no HTTP request.',
      ],
      [Unchecked, 'Unchecked.any has @Body() or @MessageBody(); use @Payload(), which validates.'],
      [NoRules, 'NoRules.any takes a payload of class Ruleless, which has no class-validator rule.'],
      [Hook, 'Hook.connect asks for @ChannelName(), which is not known on connect.'],
    ] as const) {
      expect(await bootFailure({ providers: [provider] })).toContain(sentence);
    }
  });

  it('for a class that is made for each request, by itself or by what it needs', async () => {
    @Injectable({ scope: Scope.REQUEST })
    class PerRequest {}
    @Injectable({ scope: Scope.REQUEST })
    class PerRequestGuard implements CanActivate {
      canActivate(): boolean {
        return false;
      }
    }
    @Channel('a:{x}')
    class Needs {
      constructor(@Inject(PerRequest) readonly needed: PerRequest) {}
    }
    @UseGuards(PerRequestGuard)
    @Channel('b:{x}')
    class GuardedByIt {
      @OnPublish()
      any(): void {}
    }
    @Channel('c:{x}')
    class Plain {
      @OnPublish()
      any(): void {}
    }
    for (const providers of [
      [Needs, PerRequest],
      [GuardedByIt],
      [Plain, { provide: APP_GUARD, useClass: PerRequestGuard, scope: Scope.REQUEST }],
    ]) {
      expect(await bootFailure({ providers })).toContain('Classes with channel handlers must be singletons.');
    }
  });

  it('for a guard that Nest would leave out without a word', async () => {
    const provider = { provide: HelloChannel, useFactory: () => new HelloChannel(new Greeter()) };
    expect(await bootFailure({ providers: [provider] })).toBe(
      'HelloChannel.join is bound to Nobody, which Nest does not make for a provider that a factory builds or that ' +
        'is given as a value. Provide HelloChannel as a class.',
    );
  });
});
