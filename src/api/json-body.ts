// JSON request bodies: bounded in depth before anything parses them, and kept as text, so that payloads pass through byte for byte.

import { createParamDecorator, UnsupportedMediaTypeException, type ExecutionContext } from '@nestjs/common';
import type { Request } from 'express';
import { TrunklineError } from '../core/errors.js';
import { MAX_DEPTH } from '../protocol/decode.js';
import { scanFrame } from '../protocol/frame-scan.js';
import { readDto } from './dto.js';

interface JsonText {
  readonly text: string;
  /** Raw text of the top-level `data`, or undefined. */
  readonly data: string | undefined;
}

/** A body that passed its DTO. */
export interface Json<T> extends JsonText {
  readonly dto: T;
}

const texts = new WeakMap<object, JsonText>();
const UTF8 = new TextDecoder('utf-8', { fatal: true });

/**
 * The `verify` hook of Express's JSON parser: runs on the whole body, before JSON.parse. One of 1 MiB that nests 500,000 levels would
 * hold JSON.parse, and with it the event loop, for 0.6 s; the scan refuses it after 33 characters.
 */
export function verifyJson(request: object, _response: object, bytes: Buffer, charset: string): void {
  if (charset !== 'utf-8') throw new UnsupportedMediaTypeException();
  (request as { rawBody?: Buffer }).rawBody = bytes;
  texts.set(request, readText(bytes));
}

/** The parsed and checked body of a request, beside its text. */
export const JsonBody = createParamDecorator(
  (type: new () => object, context: ExecutionContext): Json<object> => {
    const request = context.switchToHttp().getRequest<Request>();
    return readBody(type, request);
  },
);

/** The same, where no body means one without fields. */
export const OptionalJsonBody = createParamDecorator(
  (type: new () => object, context: ExecutionContext): Json<object> => {
    const request = context.switchToHttp().getRequest<Request>();
    return isEmpty(request)
      ? { text: '{}', data: undefined, dto: readDto(type, {}) }
      : readBody(type, request);
  },
);

function readBody(type: new () => object, request: Request): Json<object> {
  const json = jsonText(request);
  const body: unknown = request.body;
  if (!isObject(body)) throw invalid('The body must be a JSON object.');
  return { ...json, dto: readDto(type, body) };
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function jsonText(request: Request): JsonText {
  if (isEmpty(request)) throw invalid('The body is missing.');
  if (request.is('application/json') === false) {
    throw new UnsupportedMediaTypeException('The body must be application/json.');
  }
  const json = texts.get(request);
  if (json === undefined)
    throw new Error('JSON bodies are read by the parser that configureApi(app) installs.');
  return json;
}

/** RFC 9112 §6: a request without these has no body. */
function isEmpty({ headers }: Request): boolean {
  return headers['transfer-encoding'] === undefined && Number(headers['content-length'] ?? 0) === 0;
}

function readText(bytes: Buffer): JsonText {
  const text = decode(bytes);
  const spans = scanFrame(text, MAX_DEPTH);
  if (spans === undefined) throw invalid(`The body nests deeper than ${MAX_DEPTH} levels.`);
  return { text, data: spans.data };
}

function decode(bytes: Buffer): string {
  try {
    return UTF8.decode(bytes);
  } catch {
    throw invalid('The body is not UTF-8.');
  }
}

function invalid(message: string): TrunklineError {
  return new TrunklineError('invalid_data', message);
}
