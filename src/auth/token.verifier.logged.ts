// Tells the log at level debug why tokens are refused, since clients are told nothing. Writes no part of a token.

import { TrunklineError } from '../core/errors.js';
import type { Identity } from '../core/identity.js';
import type { CoreLogger } from '../core/ports/application.js';
import type { TokenVerifier } from './token.verifier.js';

export class LoggedTokenVerifier implements TokenVerifier {
  constructor(
    private readonly inner: TokenVerifier,
    private readonly logger: Pick<CoreLogger, 'debug'>,
  ) {}

  async verify(token: string): Promise<Identity> {
    try {
      return await this.inner.verify(token);
    } catch (error) {
      const { cause, message } = error instanceof TrunklineError ? error : { cause: error, message: '' };
      this.logger.debug('A token was refused.', { reason: cause instanceof Error ? cause.message : message });
      throw error;
    }
  }
}
