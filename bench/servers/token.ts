// The HS256 token of a run: the runner signs one, each peer checks it as a careful plain server would. Trunkline
// checks it by its own means.
import { createHmac, createSecretKey, randomBytes, timingSafeEqual, type KeyObject } from 'node:crypto';

const TOKEN_LIFE_S = 3600;

export const newSecret = (): string => randomBytes(32).toString('hex');

const encode = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url');

const signature = (key: KeyObject, signed: string): Buffer =>
  createHmac('sha256', key).update(signed).digest();

export function signToken(secret: string, user: string): string {
  const now = Math.floor(Date.now() / 1000);
  const signed = `${encode({ alg: 'HS256', typ: 'JWT' })}.${encode({ sub: user, iat: now, exp: now + TOKEN_LIFE_S })}`;
  return `${signed}.${signature(createSecretKey(secret, 'utf8'), signed).toString('base64url')}`;
}

/** A check of `Authorization: Bearer …` that gives the user, or undefined for anything not valid now. */
export function bearerCheck(secret: string): (header: string | undefined) => string | undefined {
  const key = createSecretKey(secret, 'utf8');
  return (header) => {
    const [head, body, given, ...rest] = header?.startsWith('Bearer ') ? header.slice(7).split('.') : [];
    if (head === undefined || body === undefined || given === undefined || rest.length > 0) return undefined;
    const wanted = signature(key, `${head}.${body}`);
    const actual = Buffer.from(given, 'base64url');
    if (actual.length !== wanted.length || !timingSafeEqual(actual, wanted)) return undefined;
    const { alg } = decode(head);
    const { sub, exp } = decode(body);
    const valid = alg === 'HS256' && typeof exp === 'number' && exp * 1000 > Date.now();
    return valid && typeof sub === 'string' ? sub : undefined;
  };
}

/** Only for parts whose signature has been checked. */
const decode = (part: string): { alg?: unknown; sub?: unknown; exp?: unknown } =>
  JSON.parse(Buffer.from(part, 'base64url').toString('utf8')) as object;
