// Guards, interceptors and exception filters around handlers of channel classes, bound by class, method and application.

import {
  Catch,
  ForbiddenException,
  Inject,
  Injectable,
  Scope,
  UseFilters,
  UseGuards,
  UseInterceptors,
  type ArgumentsHost,
  type CallHandler,
  type CanActivate,
  type ExceptionFilter,
  type ExecutionContext,
  type NestInterceptor,
} from '@nestjs/common';
import { APP_FILTER, APP_GUARD, APP_INTERCEPTOR, Reflector } from '@nestjs/core';
import { EMPTY, map, of, tap, type Observable } from 'rxjs';
import { describe, expect, it } from 'vitest';
import {
  Channel,
  OnPublish,
  OnSubscribe,
  Payload,
  TrunklineError,
  TRUNKLINE_CONTEXT,
  Who,
  type ChannelRequest,
} from '../../src/index.js';
import { ANA, BEN, bootChannels, refusalOf } from './channels-app.js';

@Injectable()
class Register {
  readonly lines: string[] = [];
}

const Role = Reflector.createDecorator<string>();

@Injectable()
class RoleGuard implements CanActivate {
  constructor(
    @Inject(Register) private readonly register: Register,
    @Inject(Reflector) private readonly reflector: Reflector,
  ) {}

  async canActivate(context: ExecutionContext): Promise<boolean> {
    const { act, channel, identity } = context.getArgByIndex<ChannelRequest>(0);
    this.register.lines.push(
      `${context.getType()} ${context.getClass().name}.${context.getHandler().name} ${act} ${channel}`,
    );
    return identity.claims[this.reflector.get(Role, context.getHandler())] === true;
  }
}

@Injectable({ scope: Scope.TRANSIENT })
class TransientGuard implements CanActivate {
  constructor(@Inject(Register) private readonly register: Register) {}

  canActivate(): boolean {
    return this.register.lines.push('transient') > 0;
  }
}

@Injectable()
class Wrap implements NestInterceptor {
  intercept(_context: ExecutionContext, next: CallHandler): Observable<unknown> {
    return next.handle().pipe(map((result: unknown) => ({ wrapped: result ?? null })));
  }
}

@Injectable()
class Veto implements NestInterceptor {
  intercept(): Observable<unknown> {
    return of(false);
  }
}

@Injectable()
class Swallow implements NestInterceptor {
  intercept(): Observable<unknown> {
    return EMPTY;
  }
}

@Channel('test:{id}')
class Guarded {
  constructor(@Inject(Register) private readonly register: Register) {}

  @Role('staff')
  @UseGuards(RoleGuard)
  @OnSubscribe()
  join(@Who() who: unknown): void {
    expect(who).toBeDefined();
    this.register.lines.push('join');
  }

  @Role('staff')
  @UseGuards(RoleGuard, TransientGuard)
  @UseInterceptors(Wrap)
  @OnPublish('note')
  note(@Payload() payload: unknown): unknown {
    this.register.lines.push('note');
    return payload;
  }

  @UseInterceptors(Wrap)
  @OnPublish('quiet')
  quiet(): void {}

  @UseInterceptors(Veto)
  @OnPublish('veto')
  veto(): object {
    this.register.lines.push('veto ran');
    return {};
  }

  @UseInterceptors(Swallow)
  @OnPublish('swallow')
  swallow(): object {
    return {};
  }
}

describe('guards', () => {
  it('see the request and its type, and let pass', async () => {
    const app = await bootChannels({ providers: [Guarded, Register] });
    await app.subscribe('test:1', ANA);
    expect(await app.published({ a: 1 })).toEqual({ wrapped: { a: 1 } });
    expect(app.module.get(Register).lines).toEqual([
      'trunkline Guarded.join subscribe test:1',
      'join',
      'trunkline Guarded.note publish test:1',
      'transient',
      'note',
    ]);
  });

  it('refuse before pipes and handler', async () => {
    const app = await bootChannels({ providers: [Guarded, Register] });
    expect((await refusalOf(app.subscribe('test:1', BEN))).code).toBe('forbidden');
    expect((await refusalOf(app.publish('not even JSON', { identity: BEN }))).code).toBe('forbidden');
    expect(app.module.get(Register).lines).toEqual([
      'trunkline Guarded.join subscribe test:1',
      'trunkline Guarded.note publish test:1',
    ]);
    expect(app.logs.filter((line) => !line.startsWith('log'))).toEqual([]);
  });

  @Injectable()
  class Mute implements CanActivate {
    canActivate(context: ExecutionContext): boolean {
      if (context.getArgByIndex<ChannelRequest>(0).identity.user === 'ben') {
        throw new TrunklineError('limit_exceeded', 'Ben has said enough.');
      }
      return true;
    }
  }

  it('bound to the class or the application count for each handler', async () => {
    @UseGuards(Mute)
    @Channel('test:{id}')
    class ByClass {
      @OnPublish()
      any(): void {}
    }
    @Channel('other:{id}')
    class ByApp {
      @OnSubscribe()
      join(): void {}
    }
    const local = await bootChannels({ providers: [ByClass] });
    expect(await local.publish({}, { identity: ANA })).toBeUndefined();
    expect((await refusalOf(local.publish({}, { identity: BEN }))).message).toBe('Ben has said enough.');
    const global = await bootChannels({ providers: [ByApp, { provide: APP_GUARD, useClass: Mute }] });
    await global.subscribe('other:1', ANA);
    expect((await refusalOf(global.subscribe('other:1', BEN))).code).toBe('limit_exceeded');
  });
});

describe('interceptors', () => {
  it('change what is published', async () => {
    const app = await bootChannels({ providers: [Guarded, Register] });
    expect(await app.published({}, { event: 'quiet' })).toEqual({ wrapped: null });
  });

  it('refuse in place of the handler', async () => {
    const app = await bootChannels({ providers: [Guarded, Register] });
    expect((await refusalOf(app.publish({}, { event: 'veto' }))).code).toBe('forbidden');
    expect(app.module.get(Register).lines).toEqual([]);
  });

  it('that give no result fail rather than let pass', async () => {
    const app = await bootChannels({ providers: [Guarded, Register] });
    await expect(app.publish({}, { event: 'swallow' })).rejects.toThrow('no elements in sequence');
  });

  it('bound to the application run around those of the method', async () => {
    const lines: string[] = [];
    const around: NestInterceptor = {
      intercept(context, next) {
        lines.push(`before ${context.getType<string>() === TRUNKLINE_CONTEXT}`);
        return next.handle().pipe(tap((result) => lines.push(`after ${JSON.stringify(result)}`)));
      },
    };
    const app = await bootChannels({
      providers: [Guarded, Register, { provide: APP_INTERCEPTOR, useValue: around }],
    });
    await app.publish({}, { event: 'quiet' });
    expect(lines).toEqual(['before true', 'after {"wrapped":null}']);
  });
});

describe('exception filters', () => {
  class StockError extends Error {}

  @Catch(StockError)
  class StockFilter implements ExceptionFilter {
    catch(error: StockError, host: ArgumentsHost): never {
      const { event } = host.getArgByIndex<ChannelRequest>(0);
      throw new TrunklineError('limit_exceeded', `${host.getType<string>()} ${event}: ${error.message}`);
    }
  }

  @Catch(RangeError)
  @Injectable({ scope: Scope.TRANSIENT })
  class TransientFilter implements ExceptionFilter {
    constructor(@Inject(Register) private readonly register: Register) {}

    catch(error: RangeError): never {
      throw new TrunklineError('limit_exceeded', `${error.message} ${this.register.lines.length}`);
    }
  }

  @Catch()
  class Permissive implements ExceptionFilter {
    catch(): unknown {
      return { ok: true };
    }
  }

  @Catch()
  class Silent implements ExceptionFilter {
    async catch(): Promise<void> {}
  }

  @Catch()
  class HttpOnly implements ExceptionFilter {
    catch(_error: unknown, host: ArgumentsHost): void {
      host.switchToHttp().getResponse<{ status(code: number): void }>().status(500);
    }
  }

  @Catch(ForbiddenException)
  class Renamed implements ExceptionFilter {
    async catch(): Promise<Error> {
      return new ForbiddenException('Ask at the desk.');
    }
  }

  @Injectable()
  class Nobody implements CanActivate {
    canActivate(): boolean {
      return false;
    }
  }

  @Channel('test:{id}')
  class Filtered {
    @UseFilters(StockFilter)
    @OnPublish('buy')
    buy(): never {
      throw new StockError('none left');
    }

    @UseFilters(StockFilter)
    @OnPublish('other')
    other(): never {
      throw new TrunklineError('too_large', 'As it was.');
    }

    @UseFilters(TransientFilter)
    @OnPublish('transient')
    transient(): never {
      throw new RangeError('too many:');
    }

    @UseFilters(Permissive)
    @UseGuards(Nobody)
    @OnPublish('permissive')
    permissive(): void {}

    @UseFilters(Silent)
    @UseGuards(Nobody)
    @OnPublish('silent')
    silent(): void {}

    @UseFilters(HttpOnly)
    @UseGuards(Nobody)
    @OnPublish('http')
    http(): void {}

    @UseFilters(Renamed)
    @UseGuards(Nobody)
    @OnPublish('renamed')
    renamed(): void {}

    @OnPublish('plain')
    plain(): never {
      throw new StockError('by the application');
    }
  }

  it.each([
    ['turn an error into one with a code', 'buy', 'limit_exceeded', 'trunkline buy: none left'],
    ['may be made for each class', 'transient', 'limit_exceeded', 'too many: 0'],
    ['leave alone what they do not catch', 'other', 'too_large', 'As it was.'],
    ['may say it in other words', 'renamed', 'forbidden', 'Ask at the desk.'],
    ['cannot turn a refusal into a result', 'permissive', 'forbidden', 'Forbidden resource'],
    ['cannot turn a refusal into silence', 'silent', 'forbidden', 'Forbidden resource'],
    ['do not hide the refusal when they fail', 'http', 'forbidden', 'Forbidden resource'],
  ])('%s', async (_what, event, code, message) => {
    const app = await bootChannels({ providers: [Register, Filtered] });
    const refusal = await refusalOf(app.publish({}, { event }));
    expect([refusal.code, refusal.message]).toEqual([code, message]);
    expect(app.logs.filter((line) => line.startsWith('error'))).toEqual([]);
  });

  it('that fail are told in the log', async () => {
    const app = await bootChannels({ providers: [Register, Filtered] });
    await refusalOf(app.publish({}, { event: 'http' }));
    expect(app.logs.filter((line) => line.startsWith('warn'))).toEqual([
      expect.stringContaining(
        'An exception filter failed in a channel handler; the first error stands. TypeError',
      ),
    ]);
  });

  it('bound to the application count too', async () => {
    const app = await bootChannels({
      providers: [Register, Filtered, { provide: APP_FILTER, useClass: StockFilter }],
    });
    const refusal = await refusalOf(app.publish({}, { event: 'plain' }));
    expect(refusal.message).toBe('trunkline plain: by the application');
  });
});
