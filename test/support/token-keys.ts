// Keys of an issuer, and tokens signed with them by hand, so that a fault of the library under test cannot hide in its own signer.

import {
  constants,
  createHmac,
  createPublicKey,
  generateKeyPairSync,
  sign,
  type JsonWebKey,
  type KeyObject,
} from 'node:crypto';

export type IssuerAlgorithm = 'RS256' | 'PS256' | 'ES256' | 'ES384' | 'EdDSA';

export interface IssuerKey {
  readonly alg: IssuerAlgorithm;
  readonly kid: string;
  readonly pem: string;
  /** Public, with `kid`, `alg` and `use`, as providers publish it. */
  readonly jwk: JsonWebKey & { readonly kid: string; readonly alg: string; readonly use: string };
  readonly privatePem: string;
  /** A good token for an hour; header and claims are added or replaced. */
  token(claims?: Record<string, unknown>, header?: Record<string, unknown>): string;
  /** Signs these very texts. */
  signParts(header: string, payload: string): string;
}

export function issuerKey(alg: IssuerAlgorithm, kid: string): IssuerKey {
  const pair = generate(alg);
  const publicKey = createPublicKey(pair);
  const signParts = (header: string, payload: string): string => {
    const body = `${base64url(header)}.${base64url(payload)}`;
    return `${body}.${signature(alg, pair, body)}`;
  };
  return {
    alg,
    kid,
    pem: publicKey.export({ type: 'spki', format: 'pem' }).toString(),
    privatePem: pair.export({ type: 'pkcs8', format: 'pem' }).toString(),
    jwk: { ...publicKey.export({ format: 'jwk' }), kid, alg, use: 'sig' },
    token: (claims, header) =>
      signParts(JSON.stringify({ alg, kid, typ: 'JWT', ...header }), JSON.stringify(claimsOf(claims))),
    signParts,
  };
}

/** HS256 over the same claims, with any bytes as secret: what an attacker makes of a public key. */
export function hmacToken(
  secret: string | Buffer,
  header: Record<string, unknown> = {},
  claims?: Record<string, unknown>,
): string {
  const head = JSON.stringify({ alg: 'HS256', typ: 'JWT', ...header });
  const body = `${base64url(head)}.${base64url(JSON.stringify(claimsOf(claims)))}`;
  return `${body}.${createHmac('sha256', secret).update(body).digest('base64url')}`;
}

export function claimsOf(claims: Record<string, unknown> = {}): Record<string, unknown> {
  const now = Math.floor(Date.now() / 1000);
  return { sub: 'ana', iat: now, exp: now + 3600, ...claims };
}

export function base64url(text: string | Buffer): string {
  return Buffer.from(text as string).toString('base64url');
}

function generate(alg: IssuerAlgorithm): KeyObject {
  switch (alg) {
    case 'RS256':
    case 'PS256':
      return generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey;
    case 'ES256':
      return generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey;
    case 'ES384':
      return generateKeyPairSync('ec', { namedCurve: 'P-384' }).privateKey;
    case 'EdDSA':
      return generateKeyPairSync('ed25519').privateKey;
  }
}

function signature(alg: IssuerAlgorithm, key: KeyObject, body: string): string {
  const data = Buffer.from(body);
  switch (alg) {
    case 'RS256':
      return sign('sha256', data, key).toString('base64url');
    case 'PS256':
      return sign('sha256', data, {
        key,
        padding: constants.RSA_PKCS1_PSS_PADDING,
        saltLength: 32,
      }).toString('base64url');
    case 'ES256':
      return sign('sha256', data, { key, dsaEncoding: 'ieee-p1363' }).toString('base64url');
    case 'ES384':
      return sign('sha384', data, { key, dsaEncoding: 'ieee-p1363' }).toString('base64url');
    case 'EdDSA':
      return sign(null, data, key).toString('base64url');
  }
}
