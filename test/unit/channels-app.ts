// Boots the channels room with classes of a test and calls handlers the way core does. Knows no transport.

import type { LoggerService, ModuleMetadata } from '@nestjs/common';
import { Test, type TestingModule } from '@nestjs/testing';
import { expect, onTestFinished } from 'vitest';
import { ChannelsModule } from '../../src/channels/channels.module.js';
import type { ChannelRule } from '../../src/channels/rules-file.js';
import { TrunklineError } from '../../src/core/errors.js';
import { ANONYMOUS, type Identity } from '../../src/core/identity.js';
import type { ChannelRouter, ResolvedChannel, SessionHooks } from '../../src/core/ports/application.js';
import { CHANNEL_ROUTER, SESSION_HOOKS } from '../../src/core/tokens.js';

export const ANA: Identity = {
  ...ANONYMOUS,
  kind: 'user',
  user: 'ana',
  name: 'Ana',
  claims: { staff: true },
};
export const BEN: Identity = { ...ANONYMOUS, kind: 'user', user: 'ben', name: 'Ben' };

export interface Published {
  readonly channel?: string;
  readonly event?: string;
  readonly identity?: Identity;
  readonly session?: string;
}

export class ChannelsApp {
  constructor(
    readonly module: TestingModule,
    /** What was logged, as `level message`. */
    readonly logs: readonly string[],
  ) {}

  get router(): ChannelRouter {
    return this.module.get<ChannelRouter>(CHANNEL_ROUTER, { strict: false });
  }

  get hooks(): SessionHooks {
    return this.module.get<SessionHooks>(SESSION_HOOKS, { strict: false });
  }

  resolve(channel: string): ResolvedChannel {
    const resolved = this.router.resolve(channel);
    if (resolved === undefined) throw new Error(`Nothing matches ${channel}.`);
    return resolved;
  }

  async subscribe(channel: string, identity: Identity = ANA): Promise<void> {
    const { params, handlers } = this.resolve(channel);
    await handlers?.onSubscribe?.({ channel, params, identity, session: 's1' });
  }

  async unsubscribe(channel: string, identity: Identity = ANA): Promise<void> {
    const { params, handlers } = this.resolve(channel);
    await handlers?.onUnsubscribe?.({ channel, params, identity, session: 's1' });
  }

  /** The replacing payload as text, or undefined when what came shall pass. */
  async publish(data: unknown, published: Published = {}): Promise<string | undefined> {
    const { channel = 'test:1', event = 'note', identity = ANA, session = 's1' } = published;
    const { params, handlers } = this.resolve(channel);
    const text = typeof data === 'string' ? data : JSON.stringify(data);
    return handlers?.onPublish(event)?.({ channel, params, identity, session, event, data: text });
  }

  /** As `publish`, parsed. */
  async published(data: unknown, published?: Published): Promise<unknown> {
    const text = await this.publish(data, published);
    return text === undefined ? undefined : (JSON.parse(text) as unknown);
  }
}

export interface AppParts extends ModuleMetadata {
  readonly rules?: readonly ChannelRule[];
}

export async function bootChannels({ rules, ...parts }: AppParts): Promise<ChannelsApp> {
  const imports = [ChannelsModule.forRoot({ rules }), ...(parts.imports ?? [])];
  const logger = new Notebook();
  const module = await Test.createTestingModule({ ...parts, imports })
    .setLogger(logger)
    .compile();
  onTestFinished(() => module.close());
  await module.init();
  return new ChannelsApp(module, logger.lines);
}

/** What the boot fails with. */
export async function bootFailure(parts: AppParts): Promise<string> {
  const failure: unknown = await bootChannels(parts).then(
    () => undefined,
    (error: unknown) => error,
  );
  expect(failure).toBeInstanceOf(Error);
  return (failure as Error).message;
}

/** The refusal a promise rejects with. */
export async function refusalOf(promise: Promise<unknown>): Promise<TrunklineError> {
  const thrown: unknown = await promise.then(
    (value) => expect.fail(`It was not refused, but gave ${JSON.stringify(value)}.`),
    (error: unknown) => error,
  );
  expect(thrown).toBeInstanceOf(TrunklineError);
  return thrown as TrunklineError;
}

class Notebook implements LoggerService {
  readonly lines: string[] = [];

  log(message: unknown): void {
    this.lines.push(`log ${String(message)}`);
  }

  debug(message: unknown): void {
    this.lines.push(`debug ${String(message)}`);
  }

  warn(message: unknown): void {
    this.lines.push(`warn ${String(message)}`);
  }

  error(message: unknown): void {
    this.lines.push(`error ${String(message)}`);
  }
}
