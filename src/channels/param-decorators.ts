// Parameters of channel handlers: what each decorator gives, by way of Nest's own metadata, so that pipes and mixed-in
// decorators of `createParamDecorator` work beside them. Knows no handler.

import { assignMetadata, type PipeTransform, type Type } from '@nestjs/common';
import { getParamArgsMetadata, ROUTE_ARGS_METADATA, RouteParamtypes } from '@nestjs/common/internal';
import type { ChannelRequest } from './channel-request.js';
import { PayloadPipe } from './payload.pipe.js';
import { SchemaPipe, type PayloadSchema } from './schema.pipe.js';

/** Numbers of Nest where pipes shall see `body` and `param`, numbers Nest does not use for the rest, which pipes see as `custom`. */
export const PARAM = {
  payload: RouteParamtypes.BODY as number,
  channelParam: RouteParamtypes.PARAM as number,
  who: 100,
  channelName: 101,
  eventName: 102,
  sessionId: 103,
} as const;

export type ParamKind = keyof typeof PARAM;

type Pipe = Type<PipeTransform> | PipeTransform;

interface ParamMetadata {
  readonly index: number;
  readonly data?: unknown;
  readonly pipes?: readonly unknown[];
}

const DEFAULT_PIPE = new PayloadPipe();

/** The identity that acts. */
export const Who = (...pipes: readonly Pipe[]): ParameterDecorator => param('who', undefined, pipes);

/** The segment of the channel's name that `{name}` of the pattern stands for. */
export const ChannelParam = (name: string, ...pipes: readonly Pipe[]): ParameterDecorator =>
  param('channelParam', name, pipes);

/** The full name of the channel. */
export const ChannelName = (...pipes: readonly Pipe[]): ParameterDecorator =>
  param('channelName', undefined, pipes);

/** The name of the published event. */
export const EventName = (...pipes: readonly Pipe[]): ParameterDecorator =>
  param('eventName', undefined, pipes);

/** The id of the session; undefined when the act comes by REST or from the application itself. */
export const SessionId = (...pipes: readonly Pipe[]): ParameterDecorator =>
  param('sessionId', undefined, pipes);

/**
 * The published payload, parsed. A parameter typed by a class is validated with class-validator: undeclared fields are dropped,
 * faults are told as `invalid_data` with details. Pipes or a schema given here take the place of that.
 */
export const Payload = (...pipes: readonly (Pipe | PayloadSchema)[]): ParameterDecorator =>
  param('payload', undefined, pipes.length === 0 ? [DEFAULT_PIPE] : pipes.map(toPipe));

function toPipe(pipe: Pipe | PayloadSchema): Pipe {
  return '~standard' in pipe ? new SchemaPipe(pipe) : pipe;
}

function param(kind: ParamKind, data: unknown, pipes: readonly Pipe[]): ParameterDecorator {
  return (target, key, index) => {
    if (key === undefined)
      throw new TypeError('Decorators of channel handlers belong on parameters of methods.');
    const known = getParamArgsMetadata(ROUTE_ARGS_METADATA, target, key, index);
    const next = assignMetadata(known, PARAM[kind] as never, index, {
      data: data as string,
      pipes: [...pipes],
    });
    Reflect.defineMetadata(ROUTE_ARGS_METADATA, next, target.constructor, key);
  };
}

/** What Nest asks for each parameter: its kind, the decorator's argument, and the arguments of the call. */
export const CHANNEL_PARAMS = {
  exchangeKeyForValue(kind: number, data: unknown, [request]: readonly [ChannelRequest]): unknown {
    switch (kind) {
      case PARAM.payload:
        return request.payload;
      case PARAM.channelParam:
        return request.params.get(data as string);
      case PARAM.who:
        return request.identity;
      case PARAM.channelName:
        return request.channel;
      case PARAM.eventName:
        return request.event;
      case PARAM.sessionId:
        return request.session;
      default:
        return undefined;
    }
  },
};

export interface ParamUse {
  /** Undefined: a decorator of another world, such as `@Query()`. */
  readonly kind: ParamKind | undefined;
  readonly index: number;
  readonly data: unknown;
  readonly pipes: readonly unknown[];
  /** Made by `createParamDecorator`. */
  readonly custom: boolean;
}

/** The decorated parameters of a method. */
export function paramsOf(hostClass: object, method: string): readonly ParamUse[] {
  const metadata = Reflect.getMetadata(ROUTE_ARGS_METADATA, hostClass, method) as
    Record<string, ParamMetadata> | undefined;
  return Object.entries(metadata ?? {}).map(([key, { index, data, pipes = [] }]) => {
    const number = Number(key.split(':')[0]);
    const kind = (Object.keys(PARAM) as ParamKind[]).find((name) => PARAM[name] === number);
    return { kind, index, data, pipes, custom: Number.isNaN(number) };
  });
}

/** `@Body()` and `@MessageBody()` look like `@Payload()` to Nest, but bring no validation. */
export function isUnchecked({ kind, pipes }: ParamUse): boolean {
  return kind === 'payload' && pipes.length === 0;
}
