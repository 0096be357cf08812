// `@OnConnect`: what is asked for each new session, on any provider.

import {
  Inject,
  Injectable,
  Module,
  UnauthorizedException,
  UseGuards,
  type CanActivate,
} from '@nestjs/common';
import { LazyModuleLoader } from '@nestjs/core';
import { describe, expect, it } from 'vitest';
import { Channel, OnConnect, SessionId, TrunklineError, Who, type Identity } from '../../src/index.js';
import { ANA, BEN, bootChannels, refusalOf } from './channels-app.js';

const session = (identity: Identity): { id: string; identity: Identity } => ({ id: 's7', identity });

@Injectable()
class Friends {
  of(user: string): readonly string[] {
    return [`friends:${user}`];
  }
}

@Injectable()
class JoinFriends {
  constructor(@Inject(Friends) private readonly friends: Friends) {}

  @OnConnect()
  async join(@Who() who: Identity, @SessionId() id: string): Promise<readonly string[]> {
    return [...this.friends.of(who.user ?? ''), `session:${id}`];
  }
}

@Channel('news:{topic}')
class News {
  @OnConnect()
  join(): readonly string[] {
    return ['news:all', 'friends:ana'];
  }
}

@Injectable()
class Watcher {
  seen: string[] = [];

  @OnConnect()
  see(@Who() who: Identity): void {
    this.seen.push(who.user ?? 'stranger');
  }
}

let answer: unknown;
@Injectable()
class Answer {
  @OnConnect()
  connect(): unknown {
    if (answer instanceof Error) throw answer;
    return answer;
  }
}

describe('connect hooks', () => {
  it('join a session to all the channels they name, each once', async () => {
    const app = await bootChannels({ providers: [JoinFriends, Friends, News, Watcher] });
    expect(await app.hooks.onConnect(session(ANA))).toEqual(['friends:ana', 'session:s7', 'news:all']);
    expect(app.module.get(Watcher).seen).toEqual(['ana']);
  });

  it('are not needed', async () => {
    const app = await bootChannels({});
    expect(await app.hooks.onConnect(session(ANA))).toEqual([]);
  });

  it.each([undefined, null, true, []].map((value) => [value]))(
    'may answer %j for no channel',
    async (value) => {
      const app = await bootChannels({ providers: [Answer] });
      answer = value;
      expect(await app.hooks.onConnect(session(ANA))).toEqual([]);
    },
  );

  it.each([
    [false, 'forbidden', 'This session is not wanted.'],
    [new TrunklineError('limit_exceeded', 'Full.'), 'limit_exceeded', 'Full.'],
    [new UnauthorizedException('Who?'), 'unauthenticated', 'Who?'],
  ])('refuse with %s', async (value, code, message) => {
    const app = await bootChannels({ providers: [Answer] });
    answer = value;
    const refusal = await refusalOf(app.hooks.onConnect(session(ANA)));
    expect([refusal.code, refusal.message]).toEqual([code, message]);
  });

  it.each([['chat:lobby'], [{}], [['a b']], [[1]], [7]])('fail when they answer %j', async (value) => {
    const app = await bootChannels({ providers: [Answer] });
    answer = value;
    await expect(app.hooks.onConnect(session(ANA))).rejects.toThrow(
      'Answer.connect must return a list of channel names, or nothing.',
    );
  });

  it('end with the first that refuses', async () => {
    const app = await bootChannels({ providers: [Answer, Watcher] });
    answer = false;
    await refusalOf(app.hooks.onConnect(session(ANA)));
    expect(app.module.get(Watcher).seen).toEqual([]);
  });

  it('are guarded like handlers', async () => {
    @Injectable()
    class Closed implements CanActivate {
      canActivate(): boolean {
        return false;
      }
    }
    @Injectable()
    class Night {
      @UseGuards(Closed)
      @OnConnect()
      connect(): void {}
    }
    const app = await bootChannels({ providers: [Night] });
    expect((await refusalOf(app.hooks.onConnect(session(BEN)))).code).toBe('forbidden');
  });

  it('are found in a module that is loaded later', async () => {
    @Module({ providers: [Watcher] })
    class Later {}
    const app = await bootChannels({});
    await app.hooks.onConnect(session(ANA));
    const later = await app.module.get(LazyModuleLoader).load(() => Later);
    await app.hooks.onConnect(session(BEN));
    expect(later.get(Watcher).seen).toEqual(['ben']);
  });
});
