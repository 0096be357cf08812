// Untrusted objects → DTO instances, by the class-validator rules on the DTO; faults become `invalid_data` with details. Knows no route.

import { Injectable, type ArgumentMetadata, type PipeTransform } from '@nestjs/common';
import { getMetadataStorage, ValidateBy, validateSync, type ValidationOptions } from 'class-validator';
import { TrunklineError } from '../core/errors.js';
import type { ErrorDetail } from '../protocol/frames.js';
import { parsePosition } from '../protocol/position.js';

type Fields = Readonly<Record<string, unknown>>;

/**
 * Copies only the fields that the DTO names, by reference: class-transformer would walk and copy a payload of a megabyte,
 * which is handed on as text anyway. Unknown fields are ignored, as in frames.
 */
export function readDto<T extends object>(type: new () => T, value: Fields): T {
  const dto = new type();
  for (const field of fieldsOf(type)) {
    if (Object.hasOwn(value, field)) (dto as Record<string, unknown>)[field] = value[field] ?? undefined;
  }
  const details = faultsOf(dto);
  const [first] = details;
  if (first !== undefined)
    throw new TrunklineError('invalid_data', `"${first.path}" ${first.message}.`, { details });
  return dto;
}

/** For query parameters: `@Query(DtoPipe) query: HistoryQuery`. */
@Injectable()
export class DtoPipe implements PipeTransform<Fields, object> {
  transform(value: Fields, { metatype }: ArgumentMetadata): object {
    if (metatype === undefined) throw new Error('DtoPipe needs a parameter with a DTO class as its type.');
    return readDto(metatype as new () => object, value);
  }
}

const known = new WeakMap<object, ReadonlySet<string>>();

function fieldsOf(type: new () => object): ReadonlySet<string> {
  let fields = known.get(type);
  if (fields === undefined) {
    const rules = getMetadataStorage().getTargetValidationMetadatas(type, '', true, false);
    fields = new Set(rules.map((rule) => rule.propertyName));
    known.set(type, fields);
  }
  return fields;
}

function faultsOf(dto: object): ErrorDetail[] {
  const errors = validateSync(dto, {
    stopAtFirstError: true,
    validationError: { target: false, value: false },
  });
  return errors.map(({ property, constraints = {} }) => ({
    path: property,
    message: Object.values(constraints)[0] ?? 'is not valid',
  }));
}

/** A rule by one of the checks of the protocol; `message` completes the sentence that the field begins. */
export function Holds(
  check: (value: unknown) => boolean,
  message: string,
  options: ValidationOptions = {},
): PropertyDecorator {
  return ValidateBy(
    { name: message, validator: { validate: check, defaultMessage: () => message } },
    options,
  );
}

export function isPositionText(value: unknown): boolean {
  return typeof value === 'string' && parsePosition(value) !== undefined;
}
