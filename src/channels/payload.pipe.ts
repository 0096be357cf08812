// The pipe that `@Payload()` brings along: checks the payload by the type of the parameter, so that no team forgets to. Knows no channel.

import { Logger, type ArgumentMetadata, type PipeTransform } from '@nestjs/common';
import { plainToInstance } from 'class-transformer';
import { getMetadataStorage, validate, type ValidationError, type ValidatorOptions } from 'class-validator';
import type { ErrorDetail } from '../protocol/frames.js';
import { invalidData, MAX_DETAILS } from './refusal.js';

type Class = new (...args: unknown[]) => object;

const RULES: ValidatorOptions = {
  whitelist: true,
  forbidUnknownValues: true,
  validationError: { target: false, value: false },
};

/** Parameter types that say nothing of the shape: interfaces, unions and `unknown` are `Object` at run time. */
const OPEN: ReadonlySet<unknown> = new Set([undefined, null, Object]);

interface Native {
  readonly name: string;
  readonly is: (value: unknown) => boolean;
}

const NATIVE: ReadonlyMap<unknown, Native> = new Map<unknown, Native>([
  [String, { name: 'a text', is: (value) => typeof value === 'string' }],
  [Number, { name: 'a number', is: (value) => typeof value === 'number' }],
  [Boolean, { name: 'true or false', is: (value) => typeof value === 'boolean' }],
  [Array, { name: 'a list', is: Array.isArray }],
]);

/** The validated form of a payload, kept on it: what a handler accepts without a word is what was validated. */
const ACCEPTED = Symbol('accepted');

/** The validated form of a payload that went through the pipe of `@Payload()`. */
export function acceptedForm(payload: unknown): unknown {
  return isObject(payload) ? (payload as { [ACCEPTED]?: unknown })[ACCEPTED] : undefined;
}

export function rememberAccepted(payload: unknown, accepted: unknown): void {
  if (isObject(payload)) Object.defineProperty(payload, ACCEPTED, { value: accepted, configurable: true });
}

/** A DTO class without one rule would refuse everything; better told when the server starts. */
export function hasNoRules(metatype: unknown): boolean {
  if (OPEN.has(metatype) || NATIVE.has(metatype) || typeof metatype !== 'function') return false;
  return getMetadataStorage().getTargetValidationMetadatas(metatype, '', true, false).length === 0;
}

export class PayloadPipe implements PipeTransform<unknown, unknown> {
  private readonly logger = new Logger('Channels');

  transform(value: unknown, metadata: ArgumentMetadata): unknown {
    const { metatype } = metadata;
    if (OPEN.has(metatype)) return value;
    const native = NATIVE.get(metatype);
    if (native !== undefined) {
      if (native.is(value)) return value;
      throw invalidData([{ path: '', message: `must be ${native.name}` }]);
    }
    // A pipe of the application has made it already.
    if (value instanceof (metatype as Class)) return value;
    if (!isObject(value) || Array.isArray(value))
      throw invalidData([{ path: '', message: 'must be an object' }]);
    return this.check(value, metatype as Class);
  }

  /**
   * Nest's ValidationPipe does the same at twice the cost (13 µs against 6 for four fields), since it also guards against binary values
   * and sparse arrays, which JSON does not have. class-transformer leaves out the keys `__proto__` and `constructor`.
   */
  private async check(value: object, metatype: Class): Promise<unknown> {
    const accepted = this.build(value, metatype);
    const errors = await validate(accepted, RULES);
    if (errors.length > 0) throw invalidData(faultsOf(errors, ''));
    rememberAccepted(value, accepted);
    return accepted;
  }

  /** A `@Transform` meets values that no rule has seen yet, and class-transformer stumbles over a nested key `constructor`. */
  private build(value: object, metatype: Class): object {
    try {
      return plainToInstance(metatype, value);
    } catch (error) {
      this.logger.debug(`A payload could not be made a ${metatype.name}. ${String(error)}`);
      throw invalidData([{ path: '', message: 'cannot be read' }]);
    }
  }
}

function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null;
}

function faultsOf(errors: readonly ValidationError[], parent: string): readonly ErrorDetail[] {
  const faults: ErrorDetail[] = [];
  for (const { property, constraints = {}, children = [] } of errors) {
    if (faults.length >= MAX_DETAILS) break;
    const path = parent === '' ? property : `${parent}.${property}`;
    for (const message of Object.values(constraints))
      faults.push({ path, message: withoutName(message, property) });
    faults.push(...faultsOf(children, path));
  }
  return faults.slice(0, MAX_DETAILS);
}

/** `text must be a string` → `must be a string`: the path says which. */
function withoutName(message: string, property: string): string {
  return message.startsWith(`${property} `) ? message.slice(property.length + 1) : message;
}
