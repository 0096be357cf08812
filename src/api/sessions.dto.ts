// Shape of the question for sessions.

import { IsOptional } from 'class-validator';
import { isUserId } from '../protocol/names.js';
import { Holds } from './dto.js';
import { USER_RULE } from './params.js';

export class SessionsQuery {
  @IsOptional()
  @Holds(isUserId, USER_RULE)
  user?: string;
}
