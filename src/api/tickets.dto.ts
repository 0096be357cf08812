// Shape of a wish for a ticket.

import { IsInt, IsObject, IsOptional, Max, Min } from 'class-validator';
import { isUserId } from '../protocol/names.js';
import { Holds } from './dto.js';
import { USER_RULE } from './params.js';

/** Longest session by a ticket that a backend asked for, in seconds: a day. */
export const MAX_TICKET_TTL = 86_400;
export const TICKET_TTL = 3600;
const TTL_RULE = { message: `must be whole seconds, 1 to ${MAX_TICKET_TTL}` };

/** All of it is for backends; a user gets a ticket for himself, as his token says. */
export class TicketDto {
  @IsOptional()
  @Holds(isUserId, USER_RULE)
  user?: string;

  @IsOptional()
  @Holds(isUserId, 'must be a name of 1 to 128 characters without control characters or quotes')
  name?: string;

  /** Channel pattern → capabilities, as in a token. */
  @IsOptional()
  @IsObject({ message: 'must be a map of channel patterns' })
  channels?: Record<string, unknown>;

  /** Seconds the session may last. */
  @IsOptional()
  @IsInt(TTL_RULE)
  @Min(1, TTL_RULE)
  @Max(MAX_TICKET_TTL, TTL_RULE)
  ttl?: number;
}
