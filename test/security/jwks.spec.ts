// An identity provider that is away, slow, broken or hostile: what its key set may cost us, and which tokens pass meanwhile.

import { afterEach, describe, expect, it } from 'vitest';
import { authOptions, type AuthOptions } from '../../src/auth/auth.options.js';
import { AuthStats } from '../../src/auth/auth.stats.js';
import { JwksKeys, type JwksOptions } from '../../src/auth/jwks.js';
import { TokenRules } from '../../src/auth/token.rules.js';
import { AsymmetricTokenVerifier } from '../../src/auth/token.verifier.asymmetric.js';
import { TrunklineError } from '../../src/core/errors.js';
import { SILENT_LOGGER } from '../../src/core/ports/application.js';
import { FakeClock } from '../support/fake-clock.js';
import { FakeIdentityProvider, type Answer } from '../support/fake-identity-provider.js';
import { hmacToken, issuerKey } from '../support/token-keys.js';

const REFRESH_MS = 300_000;
const STALE_MS = 3_600_000;
const COOLDOWN_MS = 30_000;

const one = issuerKey('ES256', 'one');
const two = issuerKey('ES256', 'two');

const ends: (() => unknown)[] = [];
afterEach(async () => {
  for (const end of ends.splice(0)) await end();
});

interface Bench {
  readonly provider: FakeIdentityProvider;
  readonly clock: FakeClock;
  readonly stats: AuthStats;
  readonly logged: string[];
  /** `passed`, or the error. */
  judge(token: string): Promise<'passed' | TrunklineError>;
  codes(...tokens: string[]): Promise<string[]>;
  /** Lets time pass until a fetch has come and was taken in. */
  untilFetched(ms: number, fetches: number): Promise<void>;
}

async function provider(away: boolean, ...keys: (typeof one)[]): Promise<FakeIdentityProvider> {
  const made = await (away ? FakeIdentityProvider.away(...keys) : FakeIdentityProvider.start(...keys));
  ends.push(() => made.stop());
  return made;
}

function benchOf(
  from: FakeIdentityProvider,
  change: Partial<JwksOptions> = {},
  auth: Partial<AuthOptions> = {},
): Bench {
  const clock = new FakeClock();
  const stats = new AuthStats();
  const logged: string[] = [];
  const log = (message: string, fields?: object): void =>
    void logged.push(`${message} ${JSON.stringify(fields ?? {})}`);
  const options = authOptions.parse(auth);
  const keys = new JwksKeys(
    {
      url: from.url,
      algorithms: options.algorithms,
      refreshMs: REFRESH_MS,
      staleMs: STALE_MS,
      cooldownMs: COOLDOWN_MS,
      timeoutMs: 2000,
      maxBytes: 262_144,
      ...change,
    },
    { clock, stats, logger: { debug: log, warn: log, error: log }, fraction: () => 0 },
  );
  keys.start();
  ends.push(() => keys.stop());
  // The rules keep to the real time, so that the clock of the keys can be moved by hours.
  const verifier = new AsymmetricTokenVerifier(keys, new TokenRules(options, SILENT_LOGGER));
  const judge = async (token: string): Promise<'passed' | TrunklineError> => {
    try {
      await verifier.verify(token);
      return 'passed';
    } catch (error) {
      if (error instanceof TrunklineError) return error;
      throw error;
    }
  };
  const attempts = (): number => stats.keyFetches + stats.keyFetchFailures;
  return {
    provider: from,
    clock,
    stats,
    logged,
    judge,
    async codes(...tokens) {
      const verdicts = await Promise.all(tokens.map(judge));
      return verdicts.map((verdict) => (verdict === 'passed' ? verdict : verdict.code));
    },
    async untilFetched(ms, fetches) {
      await clock.advance(ms);
      await expect.poll(attempts, { interval: 2, timeout: 8000 }).toBe(fetches);
      // The next fetch is planned in the same step as the last was counted.
      await clock.settle();
    },
  };
}

describe('the keys of a provider', () => {
  it('are fetched once at the start, and tokens that come meanwhile wait for them', async () => {
    const bench = benchOf(await provider(false, one, two));
    expect(await bench.codes(one.token(), two.token(), one.token())).toEqual(['passed', 'passed', 'passed']);
    expect(bench.provider.fetches).toBe(1);
    expect(bench.stats).toMatchObject({ keyFetches: 1, keyFetchFailures: 0, keys: 2 });
  });

  it('never become the secret of an HS256 token', async () => {
    const bench = benchOf(await provider(false, one));
    expect(await bench.codes(hmacToken(one.pem), hmacToken(one.pem, { kid: 'one' }))).toEqual([
      'unauthenticated',
      'unauthenticated',
    ]);
  });

  it('of one provider are not found for tokens of another, though they have the same id', async () => {
    const impostor = issuerKey('ES256', 'one');
    const [ours, theirs] = [benchOf(await provider(false, one)), benchOf(await provider(false, impostor))];
    expect(await theirs.codes(impostor.token(), one.token())).toEqual(['passed', 'unauthenticated']);
    expect(await ours.codes(impostor.token(), one.token())).toEqual(['unauthenticated', 'passed']);
  });

  it('that are shared secrets, for encryption, or of unknown kinds are left out, the others work', async () => {
    const from = await provider(false);
    const odd = [
      { kty: 'oct', k: 'c2VjcmV0', kid: 'hs' },
      { kty: 'XYZ' },
      null,
      7,
      { ...two.jwk, use: 'enc' },
    ];
    from.misbehave((response) => response.end(JSON.stringify({ keys: [...odd, one.jwk] })));
    const bench = benchOf(from);
    expect(await bench.codes(one.token(), two.token(), hmacToken('secret', { kid: 'hs' }))).toEqual([
      'passed',
      'unauthenticated',
      'unauthenticated',
    ]);
    expect(bench.stats.keys).toBe(1);
  });
});

describe('a change of keys', () => {
  it('with overlap is noticed at the first token of the new key; tokens of both pass, later only the new', async () => {
    const bench = benchOf(await provider(false, one));
    expect(await bench.codes(one.token())).toEqual(['passed']);
    bench.provider.publish(one, two);
    await bench.clock.advance(COOLDOWN_MS);
    expect(await bench.codes(two.token(), one.token(), two.token())).toEqual(['passed', 'passed', 'passed']);
    expect(bench.provider.fetches).toBe(2);
    bench.provider.publish(two);
    await bench.untilFetched(REFRESH_MS, 3);
    expect(await bench.codes(one.token(), two.token())).toEqual(['unauthenticated', 'passed']);
  });

  it('right after a fetch is noticed when the cooldown is over: early tokens do not count against the new key', async () => {
    const bench = benchOf(await provider(false, one));
    expect(await bench.codes(one.token())).toEqual(['passed']);
    bench.provider.publish(one, two);
    expect(await bench.codes(two.token())).toEqual(['unauthenticated']);
    await bench.clock.advance(COOLDOWN_MS);
    expect(await bench.codes(two.token())).toEqual(['passed']);
    expect(bench.provider.fetches).toBe(2);
  });

  it('is noticed in the background, so that no token waits', async () => {
    const bench = benchOf(await provider(false, one));
    expect(await bench.codes(one.token())).toEqual(['passed']);
    bench.provider.publish(two);
    await bench.untilFetched(REFRESH_MS, 2);
    expect(await bench.codes(two.token())).toEqual(['passed']);
    expect(bench.provider.fetches).toBe(2);
  });

  it('under the same id replaces the key', async () => {
    const bench = benchOf(await provider(false, one));
    expect(await bench.codes(one.token())).toEqual(['passed']);
    const again = issuerKey('ES256', 'one');
    bench.provider.publish(again);
    await bench.untilFetched(REFRESH_MS, 2);
    expect(await bench.codes(again.token(), one.token())).toEqual(['passed', 'unauthenticated']);
  });
});

describe('unknown key ids', () => {
  const strangers = (count: number, of = 'stranger'): string[] =>
    Array.from({ length: count }, (_, index) => two.token({}, { kid: `${of}-${index}` }));

  it('1,000 at once cause one fetch beside the first', async () => {
    const bench = benchOf(await provider(false, one));
    expect(await bench.codes(one.token())).toEqual(['passed']);
    await bench.clock.advance(COOLDOWN_MS);
    const codes = await bench.codes(...strangers(1000));
    expect(new Set(codes)).toEqual(new Set(['unauthenticated']));
    expect(bench.provider.fetches).toBe(2);
  });

  it('1,000 after the start cause none', async () => {
    const bench = benchOf(await provider(false, one));
    expect(new Set(await bench.codes(...strangers(1000)))).toEqual(new Set(['unauthenticated']));
    expect(bench.provider.fetches).toBe(1);
  });

  it('go on for an hour: one fetch in each cooldown at most, and good tokens pass all the while', async () => {
    const bench = benchOf(await provider(false, one));
    expect(await bench.codes(one.token())).toEqual(['passed']);
    for (let round = 0; round < 10; round++) {
      await bench.clock.advance(COOLDOWN_MS / 10);
      await bench.codes(...strangers(20, `round-${round}`));
    }
    expect(bench.provider.fetches).toBe(2);
    expect(await bench.codes(one.token())).toEqual(['passed']);
  });

  it('one that the provider did not know causes no second fetch for five minutes', async () => {
    const bench = benchOf(await provider(false, one), { refreshMs: 10 * REFRESH_MS });
    const stranger = two.token({}, { kid: 'stranger' });
    expect(await bench.codes(one.token())).toEqual(['passed']);
    await bench.clock.advance(COOLDOWN_MS);
    expect(await bench.codes(stranger)).toEqual(['unauthenticated']);
    await bench.clock.advance(5 * COOLDOWN_MS);
    expect(await bench.codes(stranger)).toEqual(['unauthenticated']);
    expect(bench.provider.fetches).toBe(2);
    await bench.clock.advance(5 * COOLDOWN_MS);
    expect(await bench.codes(stranger)).toEqual(['unauthenticated']);
    expect(bench.provider.fetches).toBe(3);
  });

  it('that look like an address, a path or a name of every object cause no request anywhere else', async () => {
    const bench = benchOf(await provider(false, one));
    const names = ['__proto__', 'constructor', '../../dev/null', `${bench.provider.url}/../stray`, '/stray'];
    const tokens = names.map((kid) => two.token({ iss: `${bench.provider.url}/stray` }, { kid }));
    expect(new Set(await bench.codes(...tokens))).toEqual(new Set(['unauthenticated']));
    expect([bench.provider.fetches, bench.provider.strays]).toEqual([1, []]);
  });
});

const hang: Answer = () => {};
/** A byte each 50 ms, for ever. */
const loris: Answer = (response) => {
  response.writeHead(200);
  const drip = setInterval(() => response.write(' '), 50);
  response.on('close', () => clearInterval(drip));
};
const status =
  (code: number, headers: Record<string, string> = {}): Answer =>
  (response) =>
    response.writeHead(code, headers).end('{"keys":[]}');
const body =
  (text: string): Answer =>
  (response) =>
    response.end(text);
const endless: Answer = (response) => {
  const megabyte = Buffer.alloc(1_048_576, ' ');
  let left = 10;
  const more = (): void => {
    while (left-- > 0) if (!response.write(megabyte)) return void response.once('drain', more);
    response.end();
  };
  more();
};

describe.each<[string, Answer, RegExp]>([
  ['500', status(500), /status 500/],
  ['404', status(404), /status 404/],
  ['204', status(204), /status 204/],
  [
    'a redirect into the cloud’s own network',
    status(302, { location: 'http://169.254.169.254/latest/meta-data/' }),
    /status 302/,
  ],
  ['a redirect to itself', status(307, { location: '/stray' }), /status 307/],
  ['10 MB', endless, /more than 262144 bytes/],
  ['an answer that never begins', hang, /within 300 ms/],
  ['an answer a byte at a time', loris, /within 300 ms/],
  ['garbage', body('<html>login</html>'), /JSON/],
  ['an empty set', body('{"keys":[]}'), /empty/],
  ['no set', body('{"error":"invalid_request"}'), /cannot be read/],
  ['null', body('null'), /empty/],
  ['keys that are no list', body('{"keys":{"0":{}}}'), /cannot be read/],
  [
    'keys of a kind that is not allowed',
    body('{"keys":[{"kty":"oct","k":"c2VjcmV0"}]}'),
    /private or shared/,
  ],
  ['a connection that breaks', (response) => response.destroy(), /cannot be reached/],
  [
    'half an answer',
    (response) => {
      response.writeHead(200, { 'content-length': '1000' });
      response.write('{"keys":[', () => response.destroy());
    },
    /terminated|aborted|socket|cannot/i,
  ],
])('a provider that answers %s', (_what, answer, says) => {
  const impatient = { timeoutMs: 300 };

  it('at the start: tokens are refused as not checkable, until it recovers', async () => {
    const from = await provider(false, one);
    from.misbehave(answer);
    const bench = benchOf(from, impatient);
    const verdict = await bench.judge(one.token());
    expect(verdict).toMatchObject({ code: 'unavailable', retryAfterMs: 1000 });
    expect(bench.stats).toMatchObject({ keyFetches: 0, keyFetchFailures: 1, keys: 0 });
    expect(bench.logged.join('\n')).toMatch(says);
    from.publish(one);
    await bench.untilFetched(1000, 2);
    expect(await bench.codes(one.token())).toEqual(['passed']);
    expect(from.strays).toEqual([]);
  });

  it('later: the keys it gave go on working, up to their limit', async () => {
    const bench = benchOf(await provider(false, one), impatient);
    expect(await bench.codes(one.token())).toEqual(['passed']);
    bench.provider.misbehave(answer);
    await bench.untilFetched(REFRESH_MS, 2);
    expect(await bench.codes(one.token(), two.token())).toEqual(['passed', 'unavailable']);
    expect(bench.stats).toMatchObject({ keyFetches: 1, keyFetchFailures: 1, keys: 1 });
  });
});

describe('a provider that is away', () => {
  it('at the start stops nothing; when it comes, tokens pass', async () => {
    const from = await provider(true, one);
    const bench = benchOf(from);
    expect(await bench.codes(one.token())).toEqual(['unavailable']);
    await from.listen();
    await bench.untilFetched(1000, 2);
    expect(await bench.codes(one.token())).toEqual(['passed']);
    expect(bench.logged.join('\n')).toMatch(/ECONNREFUSED[^]*there again/);
  });

  it('is asked at growing distances, however many tokens come', async () => {
    const bench = benchOf(await provider(true, one));
    const all = [
      one.token(),
      ...Array.from({ length: 50 }, (_, index) => one.token({}, { kid: `x-${index}` })),
    ];
    expect(await bench.codes(one.token())).toEqual(['unavailable']);
    for (const [round, pause] of [1000, 2000, 4000, 8000, 16_000, 32_000].entries()) {
      expect(await bench.judge(one.token())).toMatchObject({ code: 'unavailable', retryAfterMs: pause });
      await bench.untilFetched(pause - 1, round + 1);
      expect(new Set(await bench.codes(...all))).toEqual(new Set(['unavailable']));
      await bench.untilFetched(1, round + 2);
    }
    expect(await bench.judge(one.token())).toMatchObject({ code: 'unavailable', retryAfterMs: 60_000 });
  });

  it('for longer than keys may be stale: known tokens are not checkable either, and pass again when it is back', async () => {
    const bench = benchOf(await provider(false, one), { staleMs: REFRESH_MS + 10_000 });
    expect(await bench.codes(one.token())).toEqual(['passed']);
    await bench.provider.stop();
    await bench.untilFetched(REFRESH_MS, 2);
    await bench.untilFetched(1000, 3);
    await bench.untilFetched(2000, 4);
    await bench.untilFetched(4000, 5);
    expect(await bench.codes(one.token())).toEqual(['passed']);
    await bench.clock.advance(3001);
    expect(await bench.codes(one.token())).toEqual(['unavailable']);
    await bench.provider.listen();
    await bench.untilFetched(5000, 6);
    expect(await bench.codes(one.token())).toEqual(['passed']);
  });
});

describe('the end of the server', () => {
  it('ends a fetch that waits, and plans no other', async () => {
    const from = await provider(false, one);
    from.misbehave(hang);
    const clock = new FakeClock();
    const stats = new AuthStats();
    const keys = new JwksKeys(
      {
        url: from.url,
        algorithms: ['ES256'],
        refreshMs: REFRESH_MS,
        staleMs: STALE_MS,
        cooldownMs: COOLDOWN_MS,
        timeoutMs: 60_000,
        maxBytes: 1000,
      },
      { clock, stats, logger: SILENT_LOGGER },
    );
    keys.start();
    await from.fetched(1);
    const waiting = keys.find('one', 'ES256');
    keys.stop();
    await expect(waiting).rejects.toMatchObject({ code: 'unavailable' });
    await clock.advance(10 * REFRESH_MS);
    expect([from.fetches, clock.pending, stats.keyFetchFailures]).toEqual([1, 0, 0]);
  });
});

describe('the address of a key set', () => {
  it.each([
    'https://id.example.com/.well-known/jwks.json',
    'https://id.example.com/keys?tenant=1',
    'http://127.0.0.1:9000/jwks',
    'http://[::1]/jwks',
    'http://localhost:8080/jwks',
  ])('%s is taken', (jwksUrl) => {
    expect(authOptions.parse({ jwksUrl }).jwksUrl).toBe(jwksUrl);
  });

  it.each([
    'http://id.example.com/jwks',
    'http://127.0.0.1.example.com/jwks',
    'http://localhost.example.com/jwks',
    'http://169.254.169.254/latest',
    'http://[::2]/jwks',
    'file:///etc/passwd',
    'data:application/json,{"keys":[]}',
    'ftp://id.example.com/jwks',
    'blob:https://id.example.com/1',
    'https://user:word@id.example.com/jwks',
    'https://id.example.com/jwks#x',
    'id.example.com/jwks',
    '//id.example.com/jwks',
    'https://',
  ])('%s is refused at the start', (jwksUrl) => {
    const { success, error } = authOptions.safeParse({ jwksUrl });
    expect(success).toBe(false);
    expect(error?.issues[0]?.message).not.toContain('user:word');
  });
});
