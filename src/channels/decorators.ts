// How a team says that a class is a family of channels and which methods answer for it. Only notes; the explorer reads them at boot.

import { applyDecorators, Injectable, SetMetadata } from '@nestjs/common';
import { ENTRY_PROVIDER_WATERMARK } from '@nestjs/common/internal';
import type { ChannelOptions } from './channel-options.js';

const CHANNEL = Symbol('CHANNEL');
const ACTS = Symbol('ACTS');

export interface ChannelNote {
  readonly pattern: string;
  readonly options: ChannelOptions;
}

/** What a method is for. `events` empty: any event without a handler of its own. */
export type ActNote =
  | { readonly act: 'connect' | 'subscribe' | 'unsubscribe' }
  | { readonly act: 'publish'; readonly events: readonly string[] };

/**
 * Makes a class the home of all channels whose name matches the pattern: `{x}` takes one segment, a last `*` the rest.
 * Put it among the providers of any module. Names that more than one pattern matches go to the narrowest.
 */
export function Channel(pattern: string, options: ChannelOptions = {}): ClassDecorator {
  const note: ChannelNote = { pattern, options };
  // Nest gives entry providers their own transient guards, and counts application-wide request-scoped guards among their needs.
  return applyDecorators(
    Injectable(),
    SetMetadata(CHANNEL, note),
    SetMetadata(ENTRY_PROVIDER_WATERMARK, true),
  );
}

/** Asked before a session is subscribed, after the policy. `false` or a thrown error refuses. */
export const OnSubscribe = (): MethodDecorator => act({ act: 'subscribe' });

/** Told after a session has unsubscribed. */
export const OnUnsubscribe = (): MethodDecorator => act({ act: 'unsubscribe' });

/**
 * Asked before a publication is taken, after the policy. `false` or a thrown error refuses, a returned object or list replaces the
 * payload, nothing or `true` lets it pass. Without names: every event that has no handler of its own.
 */
export const OnPublish = (...events: readonly string[]): MethodDecorator => act({ act: 'publish', events });

/**
 * Asked for every new session, on any provider. Returns the channels to join the session to, or nothing; `false` or a thrown error
 * ends the session.
 */
export const OnConnect =
  (): MethodDecorator =>
  (target, key, descriptor): void => {
    Reflect.defineMetadata(ENTRY_PROVIDER_WATERMARK, true, target.constructor);
    act({ act: 'connect' })(target, key, descriptor);
  };

function act(note: ActNote): MethodDecorator {
  return (_target, _key, descriptor): void => {
    const method = descriptor.value as object;
    Reflect.defineMetadata(ACTS, [...actsOf(method), note], method);
  };
}

export function channelOf(hostClass: object): ChannelNote | undefined {
  return Reflect.getMetadata(CHANNEL, hostClass) as ChannelNote | undefined;
}

export function actsOf(method: object): readonly ActNote[] {
  return (Reflect.getMetadata(ACTS, method) as readonly ActNote[] | undefined) ?? [];
}
