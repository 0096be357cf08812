// May one more session come in: the same answer for every transport, before anything of the session exists. Knows no transport.

import { badCredential, TrunklineError } from './errors.js';
import type { Hub } from './hub.js';
import type { Identity } from './identity.js';
import type { RevocationCheck } from './ports/application.js';
import type { LimitLedger } from './ports/limits.js';

export interface AdmissionContext {
  readonly hub: Hub;
  readonly draining: () => boolean;
  readonly revocations: RevocationCheck;
  readonly ledger: LimitLedger;
  /** 0: no limit. */
  readonly maxSessions: number;
  readonly maxSessionsPerUser: number;
}

const RETRY_WHEN_FULL_MS = 5000;
const RETRY_WHEN_DRAINING_MS = 1000;

export class Admission {
  constructor(private readonly context: AdmissionContext) {}

  /** Undefined: it may. Ask without an identity as soon as possible, and with it in the very step of opening. */
  refusal(identity?: Identity): TrunklineError | undefined {
    const { draining, revocations, maxSessions, maxSessionsPerUser, hub, ledger } = this.context;
    if (draining()) return refuse('unavailable', 'This instance is draining.', RETRY_WHEN_DRAINING_MS);
    const full = maxSessions > 0 && hub.sessionCount >= maxSessions;
    // Who is asked for twice is let through twice by a dry run, and counted with his identity.
    const counts = identity !== undefined || !ledger.isDry('sessions');
    if (full && counts && ledger.refuses('sessions', identity?.user ?? ''))
      return refuse('unavailable', 'This instance is full.', RETRY_WHEN_FULL_MS);
    // It may have been revoked since its credential was checked.
    if (identity !== undefined && revocations.refuses(identity)) return badCredential();
    const user = identity?.user;
    if (user === undefined || maxSessionsPerUser === 0 || hub.countOfUser(user) < maxSessionsPerUser)
      return undefined;
    if (!ledger.refuses('sessions_per_user', user)) return undefined;
    return refuse('limit_exceeded', 'This user has too many sessions.', RETRY_WHEN_FULL_MS);
  }

  /** Throws the refusal. */
  check(identity?: Identity): void {
    const error = this.refusal(identity);
    if (error !== undefined) throw error;
  }
}

function refuse(
  code: 'unavailable' | 'limit_exceeded',
  message: string,
  retryAfterMs: number,
): TrunklineError {
  return new TrunklineError(code, message, { retryAfterMs });
}
