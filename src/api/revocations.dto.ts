// Shape of a revocation as a backend asks for it.

import { IsOptional } from 'class-validator';
import { isKey } from '../protocol/names.js';
import { Holds } from './dto.js';
import { KEY_RULE } from './params.js';

export class RevocationDto {
  /** Seconds since 1970, as in the claim `iat`. How far ahead it may be is the core's matter. */
  @IsOptional()
  @Holds(isMoment, 'must be whole seconds since 1970')
  before?: number;

  @IsOptional()
  @Holds(isKey, KEY_RULE)
  tokenId?: string;
}

function isMoment(value: unknown): boolean {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0;
}
