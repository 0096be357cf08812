// Gives tokens to whoever asks, so that the demo page and a first try need no login. Exists in development only.

import { Body, Controller, HttpCode, Inject, Post, ValidationPipe } from '@nestjs/common';
import { IsInt, IsObject, IsOptional, IsString, Length, Max, Min } from 'class-validator';
import { identityOf } from './claims.js';
import { TOKEN_VERIFIER } from './auth.tokens.js';
import type { TokenVerifier } from './token.verifier.js';

const HOUR_SECONDS = 3600;

export class DevTokenRequest {
  @IsString()
  @Length(1, 128)
  user!: string;

  @IsOptional()
  @IsString()
  @Length(1, 128)
  name?: string;

  @IsOptional()
  @IsObject()
  channels?: Record<string, string[]>;

  /** Seconds. */
  @IsOptional()
  @IsInt()
  @Min(1)
  @Max(24 * HOUR_SECONDS)
  ttl?: number;
}

@Controller('api/dev/tokens')
export class DevTokensController {
  constructor(@Inject(TOKEN_VERIFIER) private readonly verifier: TokenVerifier) {}

  @Post()
  @HttpCode(201)
  create(
    @Body(new ValidationPipe({ whitelist: true, transform: true }))
    { user, name, channels, ttl = HOUR_SECONDS }: DevTokenRequest,
  ): {
    token: string;
    user: string;
    expiresAt: number;
  } {
    const claims = {
      sub: user,
      ...(name === undefined ? {} : { name }),
      ...(channels === undefined ? {} : { channels }),
    };
    const expiresAt = Math.floor(Date.now() / 1000) + ttl;
    identityOf({ ...claims, exp: expiresAt });
    return { token: this.verifier.sign(claims, ttl), user, expiresAt: expiresAt * 1000 };
  }
}
