// The address of a Redis as people write it → what kind it is and where. Opens nothing.

export interface RedisPlace {
  readonly host: string;
  readonly port: number;
}

export interface RedisLogin {
  readonly username: string | undefined;
  readonly password: string | undefined;
  readonly tls: boolean;
  readonly db: number;
}

export type RedisAddress =
  | ({ readonly kind: 'standalone' } & RedisPlace & RedisLogin)
  | ({ readonly kind: 'cluster'; readonly seeds: readonly RedisPlace[] } & RedisLogin)
  | ({
      readonly kind: 'sentinel';
      readonly sentinels: readonly RedisPlace[];
      readonly name: string;
    } & RedisLogin);

const SENTINEL = /^redis(s?)\+sentinel:\/\//;
const REDIS_PORT = 6379;
const SENTINEL_PORT = 26_379;

/** Undefined when the text is none of the forms. */
export function parseRedisUrl(text: string): RedisAddress | undefined {
  const [scheme, secure] = SENTINEL.exec(text) ?? [];
  if (scheme !== undefined) return parseSentinel(text.slice(scheme.length), secure === 's');
  const seeds = text.split(',').map((part) => parseOne(part.trim()));
  const [first] = seeds;
  if (first === undefined || seeds.includes(undefined)) return undefined;
  if (seeds.length === 1) return { kind: 'standalone', ...first };
  const { username, password, tls, db } = first;
  const places = seeds.flatMap((seed) => (seed === undefined ? [] : [{ host: seed.host, port: seed.port }]));
  return { kind: 'cluster', seeds: places, username, password, tls, db };
}

function parseOne(text: string): (RedisPlace & RedisLogin) | undefined {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined || (url.protocol !== 'redis:' && url.protocol !== 'rediss:') || url.hostname === '')
    return undefined;
  const db = url.pathname.replace('/', '');
  if (!/^[0-9]{0,3}$/.test(db)) return undefined;
  return {
    host: url.hostname.replace(/^\[|\]$/g, ''),
    port: url.port === '' ? REDIS_PORT : Number(url.port),
    username: decoded(url.username),
    password: decoded(url.password),
    tls: url.protocol === 'rediss:',
    db: Number(db),
  };
}

/** `[user:password@]host:port,host:port/name`; the login is that of Redis itself. TLS is spoken to both. */
function parseSentinel(rest: string, tls: boolean): RedisAddress | undefined {
  const parts = /^(?:([^@/]*)@)?([^/@]+)\/([^/]+)$/.exec(rest);
  if (parts === null) return undefined;
  const [, login = '', hosts = '', name = ''] = parts;
  const sentinels = hosts.split(',').map((host) => {
    const url = URL.canParse(`redis://${host}`) ? new URL(`redis://${host}`) : undefined;
    if (url === undefined || url.hostname === '') return undefined;
    return { host: url.hostname, port: url.port === '' ? SENTINEL_PORT : Number(url.port) };
  });
  if (sentinels.includes(undefined)) return undefined;
  const [username = '', password = ''] = login.split(':');
  return {
    kind: 'sentinel',
    sentinels: sentinels.flatMap((place) => place ?? []),
    name: decodeURIComponent(name),
    username: decoded(username),
    password: decoded(password),
    tls,
    db: 0,
  };
}

function decoded(text: string): string | undefined {
  return text === '' ? undefined : decodeURIComponent(text);
}
