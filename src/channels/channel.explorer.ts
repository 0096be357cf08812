// Finds channel classes and connect hooks among the providers of all modules, at boot and again when a module is loaded later.
// A fault in what a team wrote stops the boot with a sentence that names it. Knows no rules file.

import { Inject, Injectable, Logger, type OnModuleInit } from '@nestjs/common';
import { MetadataScanner, ModulesContainer } from '@nestjs/core';
import { STATIC_CONTEXT } from '@nestjs/core/injector/constants.js';
import type { InstanceWrapper } from '@nestjs/core/injector/instance-wrapper.js';
import type { Module } from '@nestjs/core/injector/module.js';
import { readChannelClass, type ChannelFamily } from './channel-class.js';
import { shapeOf } from './channel-shape.js';
import { actsOf, channelOf } from './decorators.js';
import { HandlerFactory, type Handler } from './handler.factory.js';
import { checkParams } from './param-check.js';
import { providersOf, type Provider } from './provider.js';

export interface ConnectHook {
  readonly source: string;
  readonly handler: Handler;
}

@Injectable()
export class ChannelExplorer implements OnModuleInit {
  /** Grows when something was found. */
  version = 0;
  readonly families: ChannelFamily[] = [];
  readonly hooks: ConnectHook[] = [];
  private readonly logger = new Logger('Channels');
  private readonly seen = new Set<string>();
  private booted = false;

  constructor(
    @Inject(ModulesContainer) private readonly modules: ModulesContainer,
    @Inject(MetadataScanner) private readonly scanner: MetadataScanner,
    @Inject(HandlerFactory) private readonly factory: HandlerFactory,
  ) {}

  onModuleInit(): void {
    this.refresh();
    this.booted = true;
  }

  /** Cheap when no module was added since the last call. */
  refresh(): void {
    if (this.modules.size === this.seen.size) return;
    for (const [token, module] of this.modules) {
      if (this.seen.has(token) || !isBuilt(module)) continue;
      this.seen.add(token);
      for (const provider of providersOf(module, this.scanner)) this.visit(provider);
    }
  }

  /** After boot a faulty class is left out and told in the log: the channels that are served must go on. */
  private visit(provider: Provider): void {
    try {
      this.read(provider);
    } catch (error) {
      if (!this.booted) throw error;
      this.logger.error(`A class that was loaded later is left out. ${(error as Error).message}`);
    }
  }

  private read(provider: Provider): void {
    const acts = provider.methods.flatMap((name) =>
      actsOf((provider.hostClass as { prototype: Record<string, object> }).prototype[name] as object).map(
        (note) => ({ name, ...note }),
      ),
    );
    const note = channelOf(provider.hostClass);
    const { label } = provider;
    if (note === undefined && acts.length === 0) return;
    if (!provider.isSingleton) {
      throw new Error(
        `${label} is made anew for each request or user, itself or by something it needs (a guard counts). ` +
          'Classes with channel handlers must be singletons.',
      );
    }
    const stray = note === undefined ? acts.find(({ act }) => act !== 'connect') : undefined;
    if (stray !== undefined)
      throw new Error(`${label}.${stray.name} is a channel handler, but ${label} has no @Channel(pattern).`);
    const family =
      note === undefined ? undefined : readChannelClass({ provider, note, acts, factory: this.factory });
    if (family !== undefined) this.checkTwin(family);
    for (const { act, name } of acts) if (act === 'connect') this.hooks.push(this.hook(provider, name));
    if (family !== undefined) {
      this.families.push(family);
      this.logger.log(`${family.pattern.text} is served by ${family.source}.`);
    }
    this.version++;
  }

  private hook(provider: Provider, name: string): ConnectHook {
    checkParams(provider, { name, act: 'connect', params: [] });
    return { source: `${provider.label}.${name}`, handler: this.factory.make(provider, name) };
  }

  private checkTwin({ pattern, source }: ChannelFamily): void {
    const shape = shapeOf(pattern.text);
    const twin = this.families.find((family) => shapeOf(family.pattern.text) === shape);
    if (twin === undefined) return;
    const why =
      twin.source === source
        ? `${source} with the pattern "${pattern.text}" is provided by two modules. Provide it by one and export it.`
        : `${source} ("${pattern.text}") and ${twin.source} ("${twin.pattern.text}") match the same channels.`;
    throw new Error(why);
  }
}

/** Until a module that is being loaded is complete, its instances are placeholders: handlers and guards must wait. */
function isBuilt(module: Module): boolean {
  return [...module.providers.values(), ...module.injectables.values()].every(isSettled);
}

/** What is made for each request or for each user never settles, and need not. */
function isSettled(wrapper: InstanceWrapper<unknown>): boolean {
  const isValue = wrapper.isNotMetatype && !wrapper.isFactory;
  if (isValue || wrapper.isTransient) return true;
  return (
    wrapper.getInstanceByContextId(STATIC_CONTEXT).isResolved === true || !wrapper.isDependencyTreeStatic()
  );
}
