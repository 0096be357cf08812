// Refuses, at boot, parameters of a handler that could never have a value: a misspelt name would be `undefined` in a permission check.

import type { ChannelAct } from './channel-request.js';
import { isUnchecked, paramsOf, type ParamKind } from './param-decorators.js';
import { hasNoRules, PayloadPipe } from './payload.pipe.js';
import type { Provider } from './provider.js';

export interface HandlerSite {
  readonly name: string;
  readonly act: ChannelAct;
  /** Names of the parameters of the channel's pattern. */
  readonly params: readonly string[];
}

const GIVEN: Readonly<Record<ChannelAct, readonly ParamKind[]>> = {
  connect: ['who', 'sessionId'],
  subscribe: ['who', 'sessionId', 'channelName', 'channelParam'],
  unsubscribe: ['who', 'sessionId', 'channelName', 'channelParam'],
  publish: ['who', 'sessionId', 'channelName', 'channelParam', 'payload', 'eventName'],
};

export function checkParams(
  { label, hostClass, instance }: Provider,
  { name, act, params }: HandlerSite,
): void {
  const refuse = (why: string): never => {
    throw new Error(`${label}.${name} ${why}`);
  };
  const types = Reflect.getMetadata('design:paramtypes', instance, name) as readonly unknown[] | undefined;
  for (const use of paramsOf(hostClass, name)) {
    const { kind, index, data, custom } = use;
    if (custom) continue;
    if (kind === undefined)
      refuse(
        `has a parameter decorator of HTTP at position ${index + 1}; a channel handler has no HTTP request.`,
      );
    if (isUnchecked(use)) refuse('has @Body() or @MessageBody(); use @Payload(), which validates.');
    if (kind !== undefined && !GIVEN[act].includes(kind))
      refuse(`asks for ${decorator(kind)}, which is not known on ${act}.`);
    if (kind === 'channelParam' && !params.includes(data as string)) {
      const known =
        params.length === 0 ? 'no parameters' : `only ${params.map((param) => `{${param}}`).join(', ')}`;
      refuse(`asks for @ChannelParam("${String(data)}"), but the pattern of its channel has ${known}.`);
    }
    const type = types?.[index];
    if (kind === 'payload' && use.pipes.some((pipe) => pipe instanceof PayloadPipe) && hasNoRules(type)) {
      refuse(
        `takes a payload of class ${(type as { name: string }).name}, which has no class-validator rule. Give it rules, or @Payload() a pipe.`,
      );
    }
  }
}

function decorator(kind: ParamKind): string {
  return `@${kind.charAt(0).toUpperCase()}${kind.slice(1)}()`;
}
