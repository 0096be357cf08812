// Makes a method of a provider callable with all that Nest binds to it: guards, interceptors, pipes and exception filters.
// Knows neither channels nor what a result means.

import { Inject, Injectable, Logger, type ArgumentsHost } from '@nestjs/common';
import {
  EXCEPTION_FILTERS_METADATA,
  GUARDS_METADATA,
  INTERCEPTORS_METADATA,
  PIPES_METADATA,
  ROUTE_ARGS_METADATA,
} from '@nestjs/common/internal';
import { ExternalContextCreator, ModuleRef } from '@nestjs/core';
import { ExternalExceptionFilterContext } from '@nestjs/core/exceptions/external-exception-filter-context.js';
import type { ExternalExceptionsHandler } from '@nestjs/core/exceptions/external-exceptions-handler.js';
import { ExecutionContextHost } from '@nestjs/core/helpers/execution-context-host.js';
import { TRUNKLINE_CONTEXT, type ChannelRequest } from './channel-request.js';
import type { Provider } from './provider.js';
import { CHANNEL_PARAMS, paramsOf } from './param-decorators.js';
import { isCoded, toRefusal } from './refusal.js';

/** Rejects with a TrunklineError, or with whatever the application threw that has no code. */
export type Handler = (request: ChannelRequest) => Promise<unknown>;

type Method = (...args: unknown[]) => unknown;

const ENHANCERS = [GUARDS_METADATA, INTERCEPTORS_METADATA, PIPES_METADATA, EXCEPTION_FILTERS_METADATA];

@Injectable()
export class HandlerFactory {
  private readonly logger = new Logger('Channels');
  private readonly filterContext: ExternalExceptionFilterContext;

  constructor(
    @Inject(ExternalContextCreator) private readonly creator: ExternalContextCreator,
    @Inject(ModuleRef) moduleRef: ModuleRef,
  ) {
    const container = moduleRef['container'];
    this.filterContext = new ExternalExceptionFilterContext(container, container.applicationConfig);
  }

  make(provider: Provider, name: string): Handler {
    const { instance, module } = provider;
    const method = instance[name] as Method;
    this.checkEnhancers(provider, name, method);
    // Nest's own proxy logs each error that no filter took, at level error; a refusal is no error of the server. So filters are ours to run.
    const target = this.creator.create<Record<string, never>, typeof TRUNKLINE_CONTEXT>(
      instance,
      method,
      name,
      ROUTE_ARGS_METADATA,
      CHANNEL_PARAMS,
      undefined,
      undefined,
      { guards: true, interceptors: true, filters: false },
      TRUNKLINE_CONTEXT,
    ) as Handler;
    const filters = this.filterContext.create(
      instance,
      method as never,
      module.token,
      undefined,
      provider.id,
    );
    return async (request) => {
      try {
        return await target(request);
      } catch (thrown) {
        throw await this.filtered(thrown, filters, hostOf(request, provider, method));
      }
    };
  }

  /**
   * A filter may change what the client is told, by throwing or returning another coded error. It cannot turn a refusal into a
   * success, and when it fails the first refusal stands: a filter that only knows HTTP must not hide it.
   */
  private async filtered(
    thrown: unknown,
    filters: ExternalExceptionsHandler,
    host: ArgumentsHost,
  ): Promise<unknown> {
    let answer: unknown;
    try {
      answer = await filters.invokeCustomFilters<unknown>(thrown, host);
    } catch (error) {
      if (!isCoded(error) && error !== thrown) {
        this.logger.warn(
          `An exception filter failed in a channel handler; the first error stands. ${String(error)}`,
        );
      }
      answer = error;
    }
    return toRefusal(isCoded(answer) ? answer : thrown);
  }

  /** Nest leaves out enhancers it has not made, without a word; a guard that is left out lets everybody in. */
  private checkEnhancers({ module, label, hostClass }: Provider, name: string, method: Method): void {
    const bound = [hostClass, method].flatMap((holder) =>
      ENHANCERS.flatMap((key) => (Reflect.getMetadata(key, holder) ?? []) as readonly unknown[]),
    );
    const pipes = paramsOf(hostClass, name).flatMap((use) => use.pipes);
    const missing = [...bound, ...pipes].find(
      (one) => typeof one === 'function' && !module.injectables.has(one as never),
    ) as Method | undefined;
    if (missing === undefined) return;
    throw new Error(
      `${label}.${name} is bound to ${missing.name}, which Nest does not make for a provider that a factory builds or that ` +
        `is given as a value. Provide ${label} as a class.`,
    );
  }
}

function hostOf(request: ChannelRequest, { hostClass }: Provider, method: Method): ExecutionContextHost {
  const host = new ExecutionContextHost([request], hostClass as never, method);
  host.setType(TRUNKLINE_CONTEXT);
  return host;
}
