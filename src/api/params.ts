// What the path and the headers of a call carry: channel, user, idempotency key. Checks names; knows no policy.

import { createParamDecorator, Injectable, type ExecutionContext, type PipeTransform } from '@nestjs/common';
import type { Request } from 'express';
import { invalidData } from '../core/errors.js';
import { isChannelName, isKey, isUserId } from '../protocol/names.js';

export const CHANNEL_RULE =
  'must be a channel name of 1 to 200 characters without spaces, quotes, braces or "*"';
export const USER_RULE = 'must be a user id of 1 to 128 characters without control characters or quotes';
export const KEY_RULE = 'must be a string of 1 to 128 characters without control characters or quotes';

/** Express has decoded the segment by now: `chat%2Flobby` is the channel `chat/lobby`. */
@Injectable()
export class ChannelPipe implements PipeTransform<unknown, string> {
  transform(value: unknown): string {
    if (!isChannelName(value)) throw invalidData('channel', CHANNEL_RULE);
    return value;
  }
}

@Injectable()
export class UserPipe implements PipeTransform<unknown, string> {
  transform(value: unknown): string {
    if (!isUserId(value)) throw invalidData('user', USER_RULE);
    return value;
  }
}

const QUOTED = /^"([^"]*)"$/;

/** The `Idempotency-Key` header, plain or as the quoted string of a structured header (RFC 8941 §3.3.3), or undefined. */
export const IdempotencyKey = createParamDecorator(
  (_data: unknown, context: ExecutionContext): string | undefined => {
    const header = context.switchToHttp().getRequest<Request>().headers['idempotency-key'];
    if (header === undefined) return undefined;
    const text = Array.isArray(header) ? header.join(', ') : header;
    const key = QUOTED.exec(text)?.[1] ?? text;
    if (!isKey(key)) throw invalidData('Idempotency-Key', KEY_RULE);
    return key;
  },
);
