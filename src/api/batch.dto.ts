// Shapes of requests that publish many times.

import { IsArray, IsOptional } from 'class-validator';
import { isChannelName, isKey } from '../protocol/names.js';
import { Holds } from './dto.js';
import { PublishDto } from './messages.dto.js';
import { CHANNEL_RULE, KEY_RULE } from './params.js';

const LIST = { message: 'must be a list' };

export class BroadcastDto extends PublishDto {
  /** Names are checked one by one, so that a bad one spoils its own result only. */
  @IsArray(LIST)
  channels!: unknown[];
}

export class BatchDto {
  /** Each is read as a BatchMessageDto by itself. */
  @IsArray(LIST)
  messages!: unknown[];
}

export class BatchMessageDto extends PublishDto {
  @Holds(isChannelName, CHANNEL_RULE)
  channel!: string;

  @IsOptional()
  @Holds(isKey, KEY_RULE)
  idempotencyKey?: string;
}
