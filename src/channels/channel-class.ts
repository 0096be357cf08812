// Reads one channel class: pattern, rules and handlers, with every fault told in a sentence that names the class.
// Knows no module and no other class.

import { TrunklineError } from '../core/errors.js';
import type { ChannelPolicy } from '../core/policy.js';
import type { ChannelHandlers } from '../core/ports/application.js';
import { parseChannelPattern, type ChannelPattern } from '../protocol/channel-pattern.js';
import { isEventName } from '../protocol/names.js';
import { channelOptions, sentencesOf, toPolicy } from './channel-options.js';
import { ChannelRequest } from './channel-request.js';
import type { ActNote, ChannelNote } from './decorators.js';
import type { Handler, HandlerFactory } from './handler.factory.js';
import { checkParams } from './param-check.js';
import { acceptedForm } from './payload.pipe.js';
import type { Provider } from './provider.js';

/** A family of channels: one pattern, its rules, its handlers. */
export interface ChannelFamily {
  readonly pattern: ChannelPattern;
  readonly policy: ChannelPolicy;
  readonly handlers: ChannelHandlers | undefined;
  /** For messages: `class OrderChannel`, `the rules file`. */
  readonly source: string;
}

export type NamedAct = ActNote & { readonly name: string };

export interface ChannelClass {
  readonly provider: Provider;
  readonly note: ChannelNote;
  readonly acts: readonly NamedAct[];
  readonly factory: HandlerFactory;
}

type PublishHandler = NonNullable<ReturnType<ChannelHandlers['onPublish']>>;
type ContextHandler = NonNullable<ChannelHandlers['onSubscribe']>;

export function readChannelClass(source: ChannelClass): ChannelFamily {
  const { provider, note, acts } = source;
  const pattern = readPattern(source);
  const options = channelOptions.safeParse(note.options);
  if (!options.success) {
    throw new Error(
      `The options of ${provider.label} cannot be used: ${sentencesOf(options.error).join('; ')}.`,
    );
  }
  for (const { name, act } of acts) checkParams(provider, { name, act, params: pattern.params });
  const policy = toPolicy(options.data);
  return {
    pattern,
    policy,
    handlers: readHandlers(source, policy.events),
    source: `class ${provider.label}`,
  };
}

function readPattern({ provider, note }: ChannelClass): ChannelPattern {
  try {
    return parseChannelPattern(note.pattern);
  } catch (error) {
    throw new Error(`The pattern of ${provider.label} cannot be used. ${(error as Error).message}`, {
      cause: error,
    });
  }
}

function readHandlers(
  source: ChannelClass,
  events: ReadonlySet<string> | undefined,
): ChannelHandlers | undefined {
  const { acts } = source;
  if (acts.every(({ act }) => act === 'connect')) return undefined;
  const { named, other } = publishHandlers(source, events);
  return {
    onSubscribe: single(source, 'subscribe'),
    onUnsubscribe: single(source, 'unsubscribe'),
    onPublish: (event) => named.get(event) ?? other,
  };
}

function single(
  { provider, acts, factory }: ChannelClass,
  wanted: 'subscribe' | 'unsubscribe',
): ContextHandler | undefined {
  const [first, second] = acts.filter(({ act }) => act === wanted);
  if (first === undefined) return undefined;
  if (second !== undefined) {
    throw new Error(`${provider.label} has two handlers for ${wanted}: ${first.name} and ${second.name}.`);
  }
  const handler = factory.make(provider, first.name);
  return async (context) => {
    const result = await handler(ChannelRequest.of(wanted, context));
    // A lookup that found nothing is a refusal, not a permission.
    if (wanted === 'subscribe' && result !== undefined && !result) throw forbidden();
  };
}

function publishHandlers(
  source: ChannelClass,
  events: ReadonlySet<string> | undefined,
): { named: ReadonlyMap<string, PublishHandler>; other: PublishHandler | undefined } {
  const { label } = source.provider;
  const owners = new Map<string | undefined, string>();
  const handlers = new Map<string | undefined, PublishHandler>();
  for (const act of source.acts) {
    if (act.act !== 'publish') continue;
    const { name } = act;
    const handler = toPublishHandler(source.factory.make(source.provider, name), `${label}.${name}`);
    // The key undefined stands for every other event.
    for (const event of act.events.length === 0 ? [undefined] : act.events) {
      const fault = eventFault(event, events) ?? twinFault(event, name, owners.get(event));
      if (fault !== undefined) throw new Error(`${label} ${fault}`);
      owners.set(event, name);
      handlers.set(event, handler);
    }
  }
  const other = handlers.get(undefined);
  handlers.delete(undefined);
  return { named: handlers as ReadonlyMap<string, PublishHandler>, other };
}

function eventFault(event: string | undefined, events: ReadonlySet<string> | undefined): string | undefined {
  if (event === undefined) return undefined;
  if (!isEventName(event)) return `has a handler for "${event}", which is not an event name.`;
  if (events === undefined || events.has(event)) return undefined;
  return `has a handler for "${event}", which its "events" does not allow.`;
}

function twinFault(event: string | undefined, name: string, owner: string | undefined): string | undefined {
  if (owner === undefined) return undefined;
  const what = event === undefined ? 'events without a handler of their own' : `the event "${event}"`;
  return `has two handlers for ${what}: ${owner} and ${name}.`;
}

function toPublishHandler(handler: Handler, site: string): PublishHandler {
  return async (context) => {
    const request = ChannelRequest.publish(context);
    const result = await handler(request);
    if (result === false) throw forbidden();
    if (result === undefined || result === true) return textOf(acceptedForm(request.payloadSoFar), site);
    if (typeof result === 'object' && result !== null) return textOf(result, site);
    throw new TypeError(
      `${site} returned ${result === null ? 'null' : `a ${typeof result}`}; return an object, a list, a boolean or nothing.`,
    );
  };
}

/** Undefined lets the text pass as it came. */
function textOf(value: unknown, site: string): string | undefined {
  if (value === undefined) return undefined;
  const text = JSON.stringify(value) as string | undefined;
  if (text === undefined) throw new TypeError(`${site} returned an object that JSON cannot carry.`);
  return text;
}

function forbidden(): TrunklineError {
  return new TrunklineError('forbidden', 'This is not allowed here.');
}
