// A provider of a module as this room sees it: its instance, its class and the methods it has. Knows no decorator.

import type { MetadataScanner } from '@nestjs/core';
import type { InstanceWrapper } from '@nestjs/core/injector/instance-wrapper.js';
import type { Module } from '@nestjs/core/injector/module.js';

export interface Provider {
  readonly instance: Record<string, unknown>;
  readonly hostClass: object;
  /** Name of the class, for messages. */
  readonly label: string;
  readonly module: Module;
  readonly methods: readonly string[];
  readonly id: string;
  /** False: made anew for each request, so there is no one to call. */
  readonly isSingleton: boolean;
}

/** The providers of a module that are objects of a class, each once. */
export function providersOf(module: Module, scanner: MetadataScanner): readonly Provider[] {
  return [...module.providers.values()].flatMap((wrapper) => {
    if (wrapper.isAlias) return [];
    const hostClass = classOf(wrapper);
    const prototype: unknown = hostClass?.prototype;
    if (hostClass === undefined || typeof prototype !== 'object' || prototype === null) return [];
    return [
      {
        instance: wrapper.instance as Record<string, unknown>,
        hostClass,
        label: hostClass.name,
        module,
        methods: scanner.getAllMethodNames(prototype),
        id: wrapper.id,
        isSingleton: wrapper.isDependencyTreeStatic() && !wrapper.isTransient,
      },
    ];
  });
}

type Class = abstract new (...args: never[]) => unknown;

function classOf({
  isNotMetatype,
  isFactory,
  metatype,
  instance,
}: InstanceWrapper<unknown>): Class | undefined {
  if (!isNotMetatype && !isFactory) return metatype as Class;
  const made = instance as { constructor?: unknown } | null | undefined;
  const constructor = typeof made === 'object' && made !== null ? made.constructor : undefined;
  return typeof constructor === 'function' ? (constructor as Class) : undefined;
}
