// Gives tokens to whoever asks, so that the demo page and a first try need no login. Exists in development only.

import { Body, Controller, HttpCode, Inject, Post, ValidationPipe } from '@nestjs/common';
import { IsInt, IsObject, IsOptional, IsString, Length, Max, Min } from 'class-validator';
import { identityOf } from './claims.js';
import { TOKEN_SIGNER } from './auth.tokens.js';
import type { TokenSigner } from './token.verifier.js';

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
  constructor(@Inject(TOKEN_SIGNER) private readonly signer: TokenSigner) {}

  @Post()
  @HttpCode(201)
  create(
    @Body(new ValidationPipe({ whitelist: true, transform: true }))
    { user, name, channels, ttl }: DevTokenRequest,
  ): {
    token: string;
    user: string;
    expiresAt: number;
  } {
    // What is optional may be null as well, for which a default does not stand in.
    const claims = { sub: user, ...(name ? { name } : {}), ...(channels ? { channels } : {}) };
    const seconds = ttl ?? HOUR_SECONDS;
    const expiresAt = Math.floor(Date.now() / 1000) + seconds;
    identityOf({ ...claims, exp: expiresAt });
    return { token: this.signer.sign(claims, seconds), user, expiresAt: expiresAt * 1000 };
  }
}
