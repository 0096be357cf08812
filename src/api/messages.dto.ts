// Shapes of publish and history requests.

import { IsIn, IsOptional } from 'class-validator';
import { HISTORY_LIMIT } from '../protocol/frames.js';
import { isEventName, isKey } from '../protocol/names.js';
import { Holds, isPositionText } from './dto.js';
import { KEY_RULE } from './params.js';

const EVENT_RULE = 'must be a name of 1 to 64 characters';
const SESSION_RULE = 'must be a session id';

const SESSION_ID = /^[A-Za-z0-9_-]{1,64}$/;

function isSessionId(value: unknown): boolean {
  return typeof value === 'string' && SESSION_ID.test(value);
}

export class PublishDto {
  @Holds(isEventName, EVENT_RULE)
  event!: string;

  /** Any JSON value; it has no rule here, since its text is handed on unread. */
  data?: unknown;

  @IsOptional()
  @Holds(isKey, KEY_RULE)
  key?: string;

  @IsOptional()
  @Holds(isSessionId, SESSION_RULE)
  exceptSession?: string;
}

export class HistoryQuery {
  @IsOptional()
  @Holds(isPositionText, 'must be a position "epoch.offset.id"')
  since?: string;

  @IsOptional()
  @Holds(isLimitText, `must be a whole number from 1 to ${HISTORY_LIMIT}`)
  limit?: string;

  @IsOptional()
  @IsIn(['true', 'false'], { message: 'must be true or false' })
  reverse?: 'true' | 'false';
}

function isLimitText(value: unknown): boolean {
  return typeof value === 'string' && /^[1-9][0-9]{0,3}$/.test(value) && Number(value) <= HISTORY_LIMIT;
}
