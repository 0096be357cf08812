// Plain counters of authentication, read at a scrape. Knows no metrics library.

export class AuthStats {
  /** Fetches of the key set of `TRUNKLINE_JWKS_URL` that brought keys. */
  keyFetches = 0;
  keyFetchFailures = 0;
  /** Keys that tokens are checked with now; 0 where a secret is used. */
  keys = 0;
  /** By the name of the key. */
  apiKeyUses: ReadonlyMap<string, number> = new Map();
  readonly tickets = { issued: 0, used: 0, refused: 0 };
}
