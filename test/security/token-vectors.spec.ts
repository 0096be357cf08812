// Forged, strange and worn-out tokens against each kind of key: none passes, and each is refused by a code of ours.

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { authOptions, type AuthOptions } from '../../src/auth/auth.options.js';
import { FileKeys } from '../../src/auth/key-file.js';
import { TokenRules } from '../../src/auth/token.rules.js';
import { AsymmetricTokenVerifier } from '../../src/auth/token.verifier.asymmetric.js';
import { HmacTokenVerifier } from '../../src/auth/token.verifier.hmac.js';
import { LoggedTokenVerifier } from '../../src/auth/token.verifier.logged.js';
import type { TokenVerifier } from '../../src/auth/token.verifier.js';
import { TrunklineError } from '../../src/core/errors.js';
import { SILENT_LOGGER } from '../../src/core/ports/application.js';
import { TEST_SECRET } from '../support/server.js';
import {
  base64url,
  claimsOf,
  hmacToken,
  issuerKey,
  type IssuerAlgorithm,
  type IssuerKey,
} from '../support/token-keys.js';

const ALGORITHMS: readonly IssuerAlgorithm[] = ['RS256', 'PS256', 'ES256', 'ES384', 'EdDSA'];
const keys = new Map<IssuerAlgorithm, IssuerKey>(
  ALGORITHMS.map((alg) => [alg, issuerKey(alg, `key-${alg}`)]),
);
const key = (alg: IssuerAlgorithm): IssuerKey => keys.get(alg) as IssuerKey;

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'trunkline-keys-'));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

let files = 0;
function fileVerifier(content: unknown, options: Partial<AuthOptions> = {}): TokenVerifier {
  const path = join(folder, `keys-${++files}`);
  writeFileSync(path, typeof content === 'string' ? content : JSON.stringify(content));
  const all = authOptions.parse({ ...options, publicKeyFile: path });
  return new AsymmetricTokenVerifier(new FileKeys(path, all.algorithms), new TokenRules(all, SILENT_LOGGER));
}

const ofSet = (options?: Partial<AuthOptions>): TokenVerifier =>
  fileVerifier({ keys: ALGORITHMS.map((alg) => key(alg).jwk) }, options);
const ofPem = (alg: IssuerAlgorithm, options?: Partial<AuthOptions>): TokenVerifier =>
  fileVerifier(key(alg).pem, options);
const ofSecret = (options: Partial<AuthOptions> = {}): HmacTokenVerifier =>
  new HmacTokenVerifier(authOptions.parse({ secret: TEST_SECRET, ...options }));

/** The code of the refusal; `passed` when there was none. */
async function codeOf(verifier: TokenVerifier, token: string): Promise<string> {
  try {
    await verifier.verify(token);
  } catch (error) {
    if (error instanceof TrunklineError) return error.code;
    throw error;
  }
  return 'passed';
}

const seconds = (): number => Math.floor(Date.now() / 1000);
const parts = (token: string): [string, string, string] => token.split('.') as [string, string, string];

describe.each(ALGORITHMS)('a good %s token', (alg) => {
  it('passes by a key of the set, and says who it is', async () => {
    const token = key(alg).token({ jti: 't-1', channels: { 'chat:*': ['subscribe'] } });
    expect(await ofSet().verify(token)).toMatchObject({ kind: 'user', user: 'ana', tokenId: 't-1' });
  });

  it('passes by the one key of a PEM file, whatever its kid', async () => {
    const verifier = ofPem(alg, { algorithms: [alg] });
    expect(await codeOf(verifier, key(alg).token())).toBe('passed');
    expect(await codeOf(verifier, key(alg).token({}, { kid: undefined }))).toBe('passed');
  });

  it('is refused when one bit of its signature, payload or header differs', async () => {
    const [header, payload, signature] = parts(key(alg).token());
    const flip = (text: string): string => {
      const bytes = Buffer.from(text, 'base64url');
      bytes[bytes.length - 3] = (bytes[bytes.length - 3] ?? 0) ^ 1;
      return bytes.toString('base64url');
    };
    const verifier = ofSet();
    expect(await codeOf(verifier, `${header}.${payload}.${flip(signature)}`)).toBe('unauthenticated');
    expect(await codeOf(verifier, `${header}.${flip(payload)}.${signature}`)).toBe('unauthenticated');
    expect(await codeOf(verifier, `${flip(header)}.${payload}.${signature}`)).toBe('unauthenticated');
  });

  it('is refused by a key of the same type that is not the signer’s', async () => {
    const stranger = issuerKey(alg, key(alg).kid);
    expect(await codeOf(ofSet(), stranger.token())).toBe('unauthenticated');
  });
});

describe('an Ed25519 token under its new name', () => {
  it('passes as EdDSA does (RFC 9864)', async () => {
    expect(await codeOf(ofSet(), key('EdDSA').token({}, { alg: 'Ed25519' }))).toBe('passed');
  });
});

describe('no algorithm', () => {
  const body = (alg: unknown): string =>
    `${base64url(JSON.stringify({ alg, typ: 'JWT' }))}.${base64url(JSON.stringify(claimsOf()))}`;

  it.each(['none', 'None', 'nOnE', 'NONE', 'none ', '', null, 0, ['ES256'], { ES256: 1 }, undefined])(
    '%j is refused with and without a signature, by each kind of key',
    async (alg) => {
      const verifiers = [ofSecret(), ofSet(), ofPem('ES256')];
      const [, , signature] = parts(key('ES256').token());
      for (const token of [`${body(alg)}.`, body(alg), `${body(alg)}.${signature}`, `${body(alg)}.AA`]) {
        for (const verifier of verifiers) expect(await codeOf(verifier, token)).toBe('unauthenticated');
      }
    },
  );
});

describe('HS256 with what is public of an asymmetric key', () => {
  const secrets = (alg: IssuerAlgorithm): (string | Buffer)[] => {
    const { pem, jwk } = key(alg);
    const der = Buffer.from(pem.replaceAll(/-----[^-]+-----|\s/g, ''), 'base64');
    return [
      pem,
      pem.trim(),
      ` ${pem}`,
      `\n\n\t${pem}`,
      pem.replaceAll('\n', '\r\n'),
      JSON.stringify(jwk),
      der,
      '',
    ];
  };

  it.each(ALGORITHMS)('%s: is refused, with every spelling of the PEM as secret', async (alg) => {
    const verifiers = [ofSet(), ofPem(alg, { algorithms: [alg] })];
    for (const secret of secrets(alg)) {
      for (const header of [{}, { kid: key(alg).kid }, { alg: 'HS384' }, { alg: 'HS512' }]) {
        for (const verifier of verifiers)
          expect(await codeOf(verifier, hmacToken(secret, header))).toBe('unauthenticated');
      }
    }
  });

  it.each([
    ['a PEM public key', () => key('RS256').pem],
    ['a PEM public key behind blanks', () => ` \n\t${key('RS256').pem}`],
    ['a PEM private key', () => key('ES256').privatePem],
    ['a JWK', () => JSON.stringify(key('ES256').jwk)],
    ['a JWK set', () => JSON.stringify({ keys: [key('ES256').jwk] })],
  ])('%s cannot be configured as the secret', (_what, secret) => {
    const { success, error } = authOptions.safeParse({ secret: secret() });
    expect(success).toBe(false);
    expect(error?.issues[0]?.message).toMatch(/key or certificate/);
    expect(error?.issues[0]?.message).not.toContain(secret().slice(30, 60));
  });
});

describe('an algorithm of another type than the key', () => {
  const NAMES = ['RS256', 'PS256', 'RS512', 'ES256', 'ES384', 'ES512', 'ES256K', 'EdDSA', 'HS256', 'RSA1_5'];

  it.each(ALGORITHMS)('is refused for a key of %s, also with a signature it would verify', async (alg) => {
    const set = ofSet();
    const alone = ofPem(alg, { algorithms: [alg] });
    for (const name of NAMES.filter((other) => other !== alg)) {
      // Of an RSA key the other scheme: the signature is good for what the header says.
      const forged = key(alg).token({}, { alg: name });
      expect([name, await codeOf(set, forged)]).toEqual([name, 'unauthenticated']);
      expect([name, await codeOf(alone, forged)]).toEqual([name, 'unauthenticated']);
    }
  });

  it('is refused although the signature is truly of that algorithm: the key is for one only', async () => {
    const { jwk } = key('PS256');
    const asRs256 = fileVerifier({ keys: [{ ...jwk, alg: 'RS256' }] });
    expect(await codeOf(asRs256, key('PS256').token())).toBe('unauthenticated');
    const { alg: _alg, ...unnamed } = jwk;
    const first = fileVerifier({ keys: [unnamed] });
    expect(await codeOf(first, key('PS256').token())).toBe('unauthenticated');
    const named = fileVerifier({ keys: [unnamed] }, { algorithms: ['PS256'] });
    expect(await codeOf(named, key('PS256').token())).toBe('passed');
  });

  it('is refused for a kid of a key of another type', async () => {
    const token = key('ES256').token({}, { kid: key('RS256').kid });
    expect(await codeOf(ofSet(), token)).toBe('unauthenticated');
  });

  it('that is not allowed by configuration cannot be used, whatever the key says', () => {
    expect(() => fileVerifier({ keys: [key('RS256').jwk] }, { algorithms: ['ES256'] })).toThrow(
      /TRUNKLINE_JWT_ALGORITHMS does not allow/,
    );
  });
});

describe('an ECDSA signature of nothing', () => {
  const order = Buffer.from('ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551', 'hex');
  const zero = Buffer.alloc(32);
  it.each([
    ['r = s = 0', Buffer.concat([zero, zero])],
    ['r = 0', Buffer.concat([zero, Buffer.alloc(32, 1)])],
    ['s = 0', Buffer.concat([Buffer.alloc(32, 1), zero])],
    ['r = s = n', Buffer.concat([order, order])],
    ['DER of two zeros', Buffer.from('3006020100020100', 'hex')],
    ['too short', Buffer.alloc(63)],
    ['too long', Buffer.alloc(65)],
    ['empty', Buffer.alloc(0)],
  ])('%s is refused', async (_what, signature) => {
    const [header, payload] = parts(key('ES256').token());
    const token = `${header}.${payload}.${base64url(signature)}`;
    expect(await codeOf(ofSet(), token)).toBe('unauthenticated');
    expect(await codeOf(ofPem('ES256'), token)).toBe('unauthenticated');
  });
});

describe('a header', () => {
  const jwk = issuerKey('ES256', 'attacker').jwk;
  it.each<[string, Record<string, unknown>]>([
    ['jku', { jku: 'http://169.254.169.254/' }],
    ['jwk', { jwk }],
    ['x5u', { x5u: 'https://evil.example/cert' }],
    ['x5c', { x5c: ['MIIB'] }],
    ['crit', { crit: ['exp'] }],
    ['an empty crit', { crit: [] }],
    ['b64', { b64: false }],
    ['zip', { zip: 'DEF' }],
    ['enc', { enc: 'A256GCM' }],
    ['typ of a logout token', { typ: 'logout+jwt' }],
    ['typ of a DPoP proof', { typ: 'dpop+jwt' }],
    ['typ that is no text', { typ: 1 }],
    ['kid that is a path', { kid: '../../dev/null' }],
    ['kid that is a query', { kid: "x' UNION SELECT 'k" }],
    ['kid that is an address', { kid: 'https://evil.example/jwks' }],
    ['kid __proto__', { kid: '__proto__' }],
    ['kid constructor', { kid: 'constructor' }],
    ['kid toString', { kid: 'toString' }],
    ['kid that is empty', { kid: '' }],
    ['kid that is long', { kid: 'x'.repeat(257) }],
    ['kid that is a number', { kid: 1 }],
    ['kid that is a list', { kid: ['key-ES256'] }],
    ['kid that is null', { kid: null }],
    ['that is long', { hint: 'x'.repeat(2000) }],
  ])('%s is refused, though the signature is good', async (_what, header) => {
    expect(await codeOf(ofSet(), key('ES256').token({}, header))).toBe('unauthenticated');
  });

  it('of an HS256 token keeps the same rules', async () => {
    for (const header of [{ jku: 'https://evil.example' }, { crit: ['exp'] }, { typ: 'x' }, { kid: 5 }])
      expect(await codeOf(ofSecret(), hmacToken(TEST_SECRET, header))).toBe('unauthenticated');
    expect(await codeOf(ofSecret(), hmacToken(TEST_SECRET, { alg: 'HS512' }))).toBe('unauthenticated');
    expect(await codeOf(ofSecret(), hmacToken(TEST_SECRET, { kid: 'any' }))).toBe('passed');
  });

  it.each(['JWT', 'jwt', 'at+jwt', 'application/at+jwt', undefined])(
    'with the typ %s passes',
    async (typ) => {
      expect(await codeOf(ofSet(), key('ES256').token({}, { typ }))).toBe('passed');
    },
  );

  it.each([
    ['[]', '[]'],
    ['null', 'null'],
    ['text', '"ES256"'],
    ['no JSON', '{alg'],
    ['a name twice', '{"alg":"none","alg":"ES256"}'],
    ['a name twice, once with escapes', '{"alg":"none","\\u0061lg":"ES256"}'],
    ['1,000 arrays', `${'['.repeat(1000)}${']'.repeat(1000)}`],
    ['a mark of byte order', '\ufeff{"alg":"ES256"}'],
  ])('that is %s is refused', async (_what, header) => {
    expect(await codeOf(ofSet(), key('ES256').signParts(header, JSON.stringify(claimsOf())))).toBe(
      'unauthenticated',
    );
  });
});

describe('the form of a token', () => {
  const token = key('ES256').token();
  const [header, payload, signature] = parts(token);
  it.each<[string, string]>([
    ['nothing', ''],
    ['a dot', '.'],
    ['two dots', '..'],
    ['one part', header],
    ['two parts', `${header}.${payload}`],
    ['an empty signature', `${header}.${payload}.`],
    ['an empty payload', `${header}..${signature}`],
    ['an empty header', `.${payload}.${signature}`],
    ['four parts', `${token}.`],
    ['five parts, as of an encrypted token', `${token}.AAAA.AAAA`],
    ['8,192 dots', '.'.repeat(8192)],
    ['padding', `${header}.${payload}.${signature}==`],
    ['padding of the header', `${header}=.${payload}.${signature}`],
    ['plain base64', `${header}.${payload}.${signature.slice(0, -1)}+`],
    ['a blank before', ` ${token}`],
    ['a line end', `${token}\n`],
    ['a blank within', `${header}. ${payload}.${signature}`],
    ['no ASCII', `${header}.${payload}.ü${signature}`],
    ['too long', `${header}.${'A'.repeat(8192)}.${signature}`],
    ['a megabyte', 'A'.repeat(1_048_576)],
  ])('%s is refused', async (_what, text) => {
    for (const verifier of [ofSet(), ofPem('ES256'), ofSecret()])
      expect(await codeOf(verifier, text)).toBe('unauthenticated');
  });

  it('has one text only: spare bits of the last character are refused', async () => {
    // 64 bytes end in a character of which two bits count.
    const letters = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';
    const other = letters.charAt(letters.indexOf(signature.slice(-1)) + 1);
    const twin = `${signature.slice(0, -1)}${other}`;
    expect(Buffer.from(twin, 'base64url')).toEqual(Buffer.from(signature, 'base64url'));
    expect(await codeOf(ofSet(), `${header}.${payload}.${twin}`)).toBe('unauthenticated');
  });

  it('of 10,000 nested arrays is refused in under 50 ms', async () => {
    const nested = `${'['.repeat(3000)}${']'.repeat(3000)}`;
    const forged = [
      `${base64url('['.repeat(10_000))}.${payload}.${signature}`,
      key('ES256').signParts(JSON.stringify({ alg: 'ES256', kid: 'key-ES256' }), nested),
      key('ES256').signParts(
        JSON.stringify({ alg: 'ES256', kid: 'key-ES256' }),
        JSON.stringify(claimsOf()).replace('}', `,"x":${nested.slice(3000 - 2000, 3000 + 2000)}}`),
      ),
    ];
    const verifier = ofSet();
    // The fastest of five: a busy machine stops us in between.
    let fastest = Number.POSITIVE_INFINITY;
    for (let round = 0; round < 5; round++) {
      const started = performance.now();
      for (const text of forged) expect(await codeOf(verifier, text)).toBe('unauthenticated');
      fastest = Math.min(fastest, performance.now() - started);
    }
    expect(fastest).toBeLessThan(50);
  });
});

describe('claims', () => {
  const now = seconds();
  /** The longest: the tests of a busy machine may come seconds after the table was made. */
  const LEEWAY = { leewaySeconds: 60 };
  const signed = (claims: Record<string, unknown>): string => key('ES256').token(claims);
  const rawClaims = (text: string): string =>
    key('ES256').signParts('{"alg":"ES256","kid":"key-ES256"}', text);

  it.each<[string, Record<string, unknown>, string]>([
    ['that have ended', { exp: now - 600 }, 'expired'],
    ['that ended within the leeway', { exp: now - 20 }, 'passed'],
    ['without exp', { exp: undefined }, 'unauthenticated'],
    ['with exp null', { exp: null }, 'unauthenticated'],
    ['with exp as text', { exp: String(now + 3600) }, 'unauthenticated'],
    ['with exp as a list', { exp: [now + 3600] }, 'unauthenticated'],
    ['with a negative exp', { exp: -1 }, 'unauthenticated'],
    ['with exp 0', { exp: 0 }, 'unauthenticated'],
    ['with exp in milliseconds', { exp: (now + 3600) * 1000 }, 'unauthenticated'],
    ['with a part of a second in exp', { exp: now + 3600.5 }, 'passed'],
    ['that are not good yet', { nbf: now + 600 }, 'unauthenticated'],
    ['that are good in a moment', { nbf: now + 2 }, 'passed'],
    ['with nbf as text', { nbf: String(now - 5) }, 'unauthenticated'],
    ['with iat as text', { iat: String(now) }, 'unauthenticated'],
    ['without a user', { sub: undefined }, 'unauthenticated'],
    ['with an empty user', { sub: '' }, 'unauthenticated'],
    ['with a user that is no text', { sub: { a: 1 } }, 'unauthenticated'],
    ['with the user __proto__, who is a user as any', { sub: '__proto__' }, 'passed'],
  ])('%s: %j → %s', async (_what, claims, code) => {
    expect(await codeOf(ofSet(LEEWAY), signed(claims))).toBe(code);
    expect(await codeOf(ofSecret(LEEWAY), hmacToken(TEST_SECRET, {}, claims))).toBe(code);
  });

  it.each([
    ['exp 1e400', `{"sub":"ana","exp":1e400}`],
    ['exp -1e400', `{"sub":"ana","exp":-1e400}`],
    ['exp NaN', `{"sub":"ana","exp":NaN}`],
    ['two users', `{"sub":"ana","sub":"root","exp":${now + 60}}`],
    ['two ends', `{"sub":"ana","exp":1,"exp":${now + 60}}`],
    ['two users, one with escapes', `{"sub":"ana","s\\u0075b":"root","exp":${now + 60}}`],
    ['a channel twice', `{"sub":"ana","exp":${now + 60},"channels":{"a:*":["subscribe"],"a:*":["publish"]}}`],
    ['a list', `["ana",${now + 60}]`],
    ['null', 'null'],
    ['no JSON', 'sub=ana'],
    ['40 arrays deep', `{"sub":"ana","exp":${now + 60},"x":${'['.repeat(40)}${']'.repeat(40)}}`],
  ])('as %s are refused', async (_what, text) => {
    expect(await codeOf(ofSet(), rawClaims(text))).toBe('unauthenticated');
  });

  it('that are not UTF-8 are refused', async () => {
    const signer = key('ES256');
    const header = '{"alg":"ES256","kid":"key-ES256"}';
    expect(await codeOf(ofSet(), signer.signParts(header, JSON.stringify(claimsOf({ sub: 'ana' }))))).toBe(
      'passed',
    );
    const latin1 = Buffer.from(JSON.stringify(claimsOf({ sub: 'an\u00e4' })), 'latin1');
    expect(await codeOf(ofSet(), signer.signParts(header, latin1 as unknown as string))).toBe(
      'unauthenticated',
    );
  });

  const strict = { issuer: 'https://id.example.com/', audience: 'trunkline' };
  it.each<[string, Record<string, unknown>, string]>([
    ['of the issuer, for us', { iss: strict.issuer, aud: 'trunkline' }, 'passed'],
    ['for us among others', { iss: strict.issuer, aud: ['shop', 'trunkline'] }, 'passed'],
    ['of nobody', { aud: 'trunkline' }, 'unauthenticated'],
    [
      'of an issuer without the last slash',
      { iss: 'https://id.example.com', aud: 'trunkline' },
      'unauthenticated',
    ],
    ['of a list of issuers', { iss: [strict.issuer], aud: 'trunkline' }, 'unauthenticated'],
    ['for nobody', { iss: strict.issuer }, 'unauthenticated'],
    ['for another', { iss: strict.issuer, aud: 'trunkline2' }, 'unauthenticated'],
    ['for a list of others', { iss: strict.issuer, aud: ['shop'] }, 'unauthenticated'],
    ['for an object', { iss: strict.issuer, aud: { trunkline: 1 } }, 'unauthenticated'],
  ])('%s → with issuer and audience configured', async (_what, claims, code) => {
    expect(await codeOf(ofSet(strict), signed(claims))).toBe(code);
    expect(await codeOf(ofSecret(strict), hmacToken(TEST_SECRET, {}, claims))).toBe(code);
  });

  it.each<[string, Record<string, unknown>, string]>([
    ['an hour from its issue', { iat: now, exp: now + 3600 }, 'passed'],
    ['longer from its issue', { iat: now - 3600, exp: now + 3600 }, 'unauthenticated'],
    ['longer from now, though issued in the future', { iat: now + 9000, exp: now + 9060 }, 'unauthenticated'],
    ['longer, without iat', { iat: undefined, exp: now + 4000 }, 'unauthenticated'],
    ['not longer, without iat', { iat: undefined, exp: now + 3000 }, 'passed'],
  ])('that live %s, where an hour is the most', async (_what, claims, code) => {
    const options = { maxLifeSeconds: 3600 };
    expect(await codeOf(ofSet(options), signed(claims))).toBe(code);
    expect(await codeOf(ofSecret(options), hmacToken(TEST_SECRET, {}, claims))).toBe(code);
  });

  it('that live longer than revocations are remembered pass, and the log is told once', async () => {
    const warnings: string[] = [];
    const rules = new TokenRules(authOptions.parse({ revocationSeconds: 1800 }), {
      warn: (message) => void warnings.push(message),
    });
    for (let times = 0; times < 3; times++) rules.identityOf(claimsOf());
    expect(warnings).toHaveLength(1);
    expect(warnings[0]).toMatch(/TRUNKLINE_REVOCATION_MS.*TRUNKLINE_JWT_MAX_LIFE/);
  });
});

describe('the log', () => {
  it('is told at debug why a token was refused, and nothing of the token', async () => {
    const told: string[] = [];
    const verifier = new LoggedTokenVerifier(ofSet({ audience: 'trunkline' }), {
      debug: (message, fields) => void told.push(`${message} ${JSON.stringify(fields)}`),
    });
    const forged = issuerKey('ES256', 'key-ES256').token({ aud: 'trunkline' });
    const bad = [
      key('ES256').token({ aud: 'shop' }),
      forged,
      'a.b',
      key('ES256').token({ exp: 1, aud: 'trunkline' }),
    ];
    for (const token of bad) await codeOf(verifier, token);
    expect(told).toHaveLength(bad.length);
    expect(told[0]).toMatch(/another audience/);
    expect(told[1]).toMatch(/signature verification failed/);
    for (const token of bad) expect(told.join('\n')).not.toContain(token.slice(-20));
    expect(await codeOf(verifier, key('ES256').token({ aud: 'trunkline' }))).toBe('passed');
    expect(told).toHaveLength(bad.length);
  });
});

describe('a file of keys', () => {
  it('with two PEM blocks takes tokens of both, while keys are changed', async () => {
    const [old, young] = [issuerKey('ES256', 'old'), issuerKey('ES256', 'young')];
    const verifier = fileVerifier(`The old one:\n${old.pem}\n${young.pem}`);
    expect(await codeOf(verifier, old.token())).toBe('passed');
    expect(await codeOf(verifier, young.token())).toBe('passed');
    expect(await codeOf(verifier, issuerKey('ES256', 'old').token())).toBe('unauthenticated');
  });

  it('with several keys finds them by kid, and an unknown kid finds none', async () => {
    expect(await codeOf(ofSet(), key('ES256').token({}, { kid: 'unknown' }))).toBe('unauthenticated');
    expect(await codeOf(ofSet(), key('ES256').token({}, { kid: undefined }))).toBe('passed');
  });

  it('takes keys whose ids are names of every object', async () => {
    const odd = ['__proto__', 'constructor', 'toString'].map((kid) => issuerKey('ES256', kid));
    const verifier = fileVerifier({ keys: odd.map(({ jwk }) => jwk) });
    for (const one of odd) expect(await codeOf(verifier, one.token())).toBe('passed');
    expect(await codeOf(verifier, odd[0]?.token({}, { kid: 'hasOwnProperty' }) ?? '')).toBe(
      'unauthenticated',
    );
  });

  it.each<[string, () => unknown, RegExp]>([
    ['a private key in PEM', () => key('ES256').privatePem, /holds "PRIVATE KEY"/],
    ['a certificate', () => '-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----', /"CERTIFICATE"/],
    [
      'a broken PEM block',
      () => '-----BEGIN PUBLIC KEY-----\nMIIB\n-----END PUBLIC KEY-----',
      /cannot be read/,
    ],
    ['a PEM block without end', () => '-----BEGIN PUBLIC KEY-----\nMIIB', /has no end/],
    ['nothing', () => '', /neither PEM nor JSON/],
    ['an empty set', () => ({ keys: [] }), /empty/],
    ['a shared secret', () => ({ keys: [{ kty: 'oct', k: 'c2VjcmV0', alg: 'HS256' }] }), /private or shared/],
    ['a private JWK', () => ({ ...key('ES256').jwk, d: 'AAAA' }), /private or shared/],
    ['a key for encryption', () => ({ ...key('RS256').jwk, use: 'enc' }), /not for signatures/],
    [
      'a point that is not on the curve',
      () => ({ ...key('ES256').jwk, x: key('ES384').jwk.x }),
      /cannot be read/,
    ],
    ['an RSA key of 17 bits', () => ({ kty: 'RSA', n: 'AQAB', e: 'AQAB' }), /bits|cannot be read/],
    [
      'more than 100 keys',
      () => ({ keys: Array.from({ length: 101 }, () => key('ES256').jwk) }),
      /more than 100/,
    ],
  ])('that holds %s stops the start and names the variable', (_what, content, says) => {
    const made = (): TokenVerifier => fileVerifier(content());
    expect(made).toThrow(/^TRUNKLINE_JWT_PUBLIC_KEY_FILE: /);
    expect(made).toThrow(says);
  });

  it('that is not there stops the start', () => {
    expect(() => new FileKeys(join(folder, 'none'), ['ES256'])).toThrow(/cannot be read \(ENOENT/);
  });
});

describe('random tokens', () => {
  const segment = fc.oneof(
    fc.string({ maxLength: 60 }),
    fc.json({ maxDepth: 3 }).map(base64url),
    fc.string({ unit: 'binary', maxLength: 60 }).map((text) => base64url(text)),
    fc
      .record(
        {
          alg: fc.constantFrom('none', 'HS256', 'RS256', 'PS256', 'ES256', 'EdDSA', 'Ed25519', ''),
          kid: fc.oneof(fc.constantFrom('key-ES256', 'key-RS256', '__proto__'), fc.anything()),
          typ: fc.anything(),
          crit: fc.anything(),
        },
        { requiredKeys: [] },
      )
      .map((value) =>
        base64url(JSON.stringify(value, (_name, part: unknown) => (typeof part === 'bigint' ? 0 : part))),
      ),
  );

  it('never pass and never throw anything but an error of ours', async () => {
    const verifiers = [ofSecret(), ofSet(), ofPem('ES256')];
    await fc.assert(
      fc.asyncProperty(fc.array(segment, { maxLength: 5 }), async (segments) => {
        for (const verifier of verifiers)
          expect(await codeOf(verifier, segments.join('.'))).toBe('unauthenticated');
      }),
      { numRuns: 500 },
    );
  });

  it('made from a good one by one change never pass', async () => {
    const verifier = ofSet();
    const token = key('ES256').token();
    await fc.assert(
      fc.asyncProperty(fc.nat(token.length - 1), fc.string({ maxLength: 2 }), async (at, text) => {
        const changed = token.slice(0, at) + text + token.slice(at + 1);
        fc.pre(changed !== token);
        expect(await codeOf(verifier, changed)).not.toBe('passed');
      }),
      { numRuns: 500 },
    );
  });
});
