// Puts OpenAPI metadata on controllers and DTOs after the fact. So a start need not load @nestjs/swagger, and the types below still
// refuse a route or a field without a description.

import { STATUS_CODES } from 'node:http';
import type { Type } from '@nestjs/common';
import { ApiBody, ApiQuery, ApiResponse, type OpenAPIObject } from '@nestjs/swagger';

export type Schemas = NonNullable<NonNullable<OpenAPIObject['components']>['schemas']>;
export type Schema = Schemas[string];
export type PlainSchema = Exclude<Schema, { readonly $ref: string }>;

/** Every field of the DTO, each with its schema. */
export type FieldsOf<T> = { readonly [Field in keyof T]-?: Schema };

type Action = (...args: never[]) => unknown;
/** Every handler of the controller, each with the decorators it would carry. */
export type RoutesOf<T> = {
  readonly [Method in keyof T as T[Method] extends Action ? Method : never]: readonly MethodDecorator[];
};

/** The schema of a DTO: all fields are required, but the ones named. */
export function fieldsOf<T>(fields: FieldsOf<T>, ...optional: readonly (keyof T & string)[]): Schema {
  return objectOf(fields, ...optional);
}

/** All properties are required, but the ones named. */
export function objectOf(
  properties: Readonly<Record<string, Schema>>,
  ...optional: readonly string[]
): Schema {
  const required = Object.keys(properties).filter((name) => !optional.includes(name));
  return { type: 'object', properties, ...(required.length === 0 ? {} : { required }) };
}

/** Query parameters, none of them required. */
export function queriesOf<T>(fields: FieldsOf<T>): MethodDecorator {
  return (...target) => {
    for (const [name, schema] of Object.entries<Schema>(fields))
      ApiQuery({ name, required: false, schema })(...target);
  };
}

/** A JSON body, by the name of its schema, with one that works. */
export function takes(schema: string, example: object): MethodDecorator {
  return ApiBody({ schema: schemaRef(schema), required: true, examples: { example: { value: example } } });
}

export function describeRoutes<T extends object>(type: Type<T>, routes: RoutesOf<T>): void {
  const prototype = type.prototype as object;
  for (const [method, decorators] of Object.entries(routes) as [string, readonly MethodDecorator[]][]) {
    const descriptor = Object.getOwnPropertyDescriptor(prototype, method);
    if (descriptor === undefined) throw new Error(`${type.name} has no method ${method}.`);
    for (const decorate of decorators) decorate(prototype, method, descriptor);
  }
}

export function schemaRef(name: string): { readonly $ref: string } {
  return { $ref: `#/components/schemas/${name}` };
}

/** A success in JSON, by the name of its schema. */
export function answers(status: number, description: string, schema: string): MethodDecorator {
  return ApiResponse({ status, description, content: { 'application/json': { schema: schemaRef(schema) } } });
}

const PROBLEMS: ReadonlyMap<number, readonly [code: string, description: string]> = new Map([
  [400, ['invalid_data', 'The request is not well formed; see `details`.']],
  [401, ['unauthenticated', 'A credential is needed, or the one given is bad or has ended.']],
  [403, ['forbidden', 'The caller may not do this.']],
  [404, ['unknown_channel', 'No channel class or rule matches the channel.']],
  [413, ['too_large', 'The body, or the payload for this channel, is too large.']],
  [415, ['unsupported_media_type', 'The body is not `application/json` in UTF-8.']],
  [429, ['rate_limited', 'Too many requests; wait `Retry-After` seconds.']],
  [503, ['unavailable', 'The backplane is away; nothing was done.']],
  [504, ['unknown_outcome', 'It may have been done; retry only with the idempotency key.']],
]);

/** The problems a route may answer with. */
export function refuses(...statuses: readonly number[]): MethodDecorator {
  return (...target) => {
    for (const [status, response] of Object.entries(problems(...statuses)))
      ApiResponse({ status: Number(status), ...response })(...target);
  };
}

/** The same by their statuses. */
export function problems(...statuses: readonly number[]): Record<string, Problem> {
  return Object.fromEntries(statuses.map((status) => [status, problem(status)]));
}

interface Problem {
  readonly description: string;
  readonly content: Record<string, { readonly schema: { readonly $ref: string }; readonly example: object }>;
}

function problem(status: number): Problem {
  const [code, description] = PROBLEMS.get(status) ?? ['internal', 'A problem.'];
  const retry = status === 429 || status >= 500;
  const example = {
    type: 'about:blank',
    title: STATUS_CODES[status],
    status,
    code,
    detail: description,
    retry,
  };
  return { description, content: { 'application/problem+json': { schema: schemaRef('Problem'), example } } };
}
