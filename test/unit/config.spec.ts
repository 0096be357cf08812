// Environment → configuration: what is refused and in which words, what zero means, what production demands. Starts no server.
import { describe, expect, it } from 'vitest';
import { DEVELOPMENT_SECRET } from '../../src/auth/auth.options.js';
import { ConfigError, loadConfig, type Config, type Environment } from '../../src/config/config.js';
import { VARIABLES } from '../../src/config/variables.js';

const SECRET = 'a-secret-of-our-own-0123456789abcdef';
const PRODUCTION: Environment = {
  NODE_ENV: 'production',
  TRUNKLINE_JWT_SECRET: SECRET,
  TRUNKLINE_ALLOWED_ORIGINS: 'https://app.example.com',
};

function faultsOf(env: Environment): readonly string[] {
  try {
    loadConfig(env);
  } catch (error) {
    if (error instanceof ConfigError) return error.faults;
    throw error;
  }
  return [];
}

interface BadValues {
  readonly values: readonly string[];
  /** What the sentence must say besides the name. */
  readonly says: RegExp;
}

const NOT_A_NUMBER = ['abc', '1.5', '1e3', '0x10', '10s', '1,000', 'none', '--1', '99999999999999999999'];
const numbers = (...more: string[]): BadValues => ({
  values: [...NOT_A_NUMBER, '-1', ...more],
  says: /\b(number|int)\b/,
});
const RATE: BadValues = {
  values: [
    'abc',
    '-1/1s',
    '10',
    '10/',
    '/s',
    '10/0s',
    '10/1d',
    '1.5/s',
    '10/s/s',
    '10 per second',
    'none',
    '9999999999/s',
  ],
  says: /10\/1s.*0 means no limit/,
};
const TLS_FILE: BadValues = { values: ['/etc/tls/one-of-two.pem'], says: /both or none/ };

/** Every variable that can be wrong, with what is wrong and what must be said. */
const BAD: Readonly<Record<string, BadValues>> = {
  PORT: numbers('65536', '70000'),
  TRUNKLINE_JWT_SECRET: { values: ['short', 'x'.repeat(31)], says: /at least 32 bytes/ },
  TRUNKLINE_JWKS_URL: {
    values: [
      'id.example.com/jwks',
      'http://id.example.com/jwks',
      'file:///etc/passwd',
      'https://u:p@id.example.com',
    ],
    says: /must be a https:\/\/ address/,
  },
  TRUNKLINE_JWKS_STALE_MS: numbers('86400001'),
  TRUNKLINE_JWT_ALGORITHMS: {
    values: ['HS256', 'none', 'RS256,none', 'rs256', 'ES512', 'RS256 ES256'],
    says: /RS256, PS256, ES256, ES384, EdDSA|must name one/,
  },
  TRUNKLINE_JWT_MAX_LIFE: numbers(),
  TRUNKLINE_API_KEYS: {
    values: ['short', 'x'.repeat(15), `${'x'.repeat(16)},short`],
    says: /at least 16 characters/,
  },
  TRUNKLINE_QUERY_TOKENS: { values: ['yes', 'true', '1', 'ON'], says: /must be one of on, off/ },
  TRUNKLINE_ALLOWED_ORIGINS: {
    values: [
      '*',
      'app.example.com',
      'https://app.example.com/',
      'https://app.example.com/chat',
      'https://*.example.com',
      'HTTPS://app.example.com',
      'https://app.example.com:443',
      'null',
      'https://app.example.com, nonsense',
    ],
    says: /origins such as https:\/\/app\.example\.com/,
  },
  TRUNKLINE_BACKPLANE: { values: ['postgres', 'MEMORY', 'none'], says: /must be .*memory/ },
  REDIS_URL: {
    values: [
      'localhost',
      'http://localhost:6379',
      'redis://',
      'redis://a:6379,b:6379',
      'redis://a:6379/0/1',
      'redis+sentinel://a:26379',
      'redis+sentinel:///main',
    ],
    says: /redis:\/\/host:port.*redis\+sentinel/,
  },
  TRUNKLINE_REDIS_PREFIX: { values: ['a b', 'a{b}', 'x'.repeat(65), 'ü'], says: /letters, digits/ },
  TRUNKLINE_REVOCATION_MS: numbers('0', '59999', '315360000001'),
  TRUNKLINE_REDIS_REPLICAS: numbers('-1', '101'),
  TRUNKLINE_REDIS_NODE_TTL_MS: numbers('0', '99', '120000', '2147483648'),
  TRUNKLINE_POSITION_CHECK_MS: numbers('0', '99', '10001'),
  TRUNKLINE_KEEP_ALIVE_MS: numbers('0', '999', '3600001'),
  TRUNKLINE_TLS_CERT_FILE: TLS_FILE,
  TRUNKLINE_TLS_KEY_FILE: TLS_FILE,
  TRUNKLINE_OPS_PORT: numbers('65536', '70000'),
  TRUNKLINE_DRAIN_MS: numbers(),
  TRUNKLINE_HEARTBEAT_MS: numbers('0', '999'),
  TRUNKLINE_SSE_HEARTBEAT_MS: numbers('0', '9'),
  TRUNKLINE_SSE_MAX_MS: numbers('0', '999'),
  TRUNKLINE_MAX_MESSAGE_BYTES: numbers('0', '127'),
  TRUNKLINE_OUTBOX_BYTES: numbers(),
  TRUNKLINE_OUTBOX_MESSAGES: numbers(),
  TRUNKLINE_MAX_CHANNELS_PER_SESSION: numbers(),
  TRUNKLINE_MAX_CONNECTIONS: numbers(),
  TRUNKLINE_MAX_CONNECTIONS_PER_ADDRESS: numbers(),
  TRUNKLINE_MAX_SESSIONS: numbers(),
  TRUNKLINE_MAX_SESSIONS_PER_USER: numbers(),
  TRUNKLINE_MESSAGE_RATE: RATE,
  TRUNKLINE_BYTE_RATE: RATE,
  TRUNKLINE_USER_MESSAGE_RATE: RATE,
  TRUNKLINE_TOTAL_CONNECT_RATE: RATE,
  TRUNKLINE_FAILED_LOGIN_RATE: RATE,
  TRUNKLINE_MAX_STRANGERS_PER_ADDRESS: numbers(),
  TRUNKLINE_MAX_STRANGERS: numbers(),
  TRUNKLINE_STRANGER_FRAME_BYTES: numbers(),
  TRUNKLINE_TRUSTED_PROXIES: {
    values: ['proxy.example', '10.0.0.0/33', '0.0.0.0/0', '::/0', '10.0.0.1, *'],
    says: /addresses or networks such as 10\.0\.0\.0\/8/,
  },
  TRUNKLINE_LIMITS_DRY_RUN: {
    values: ['yes', 'frame', 'on, nonsense'],
    says: /must be one of on, off, connections, connects/,
  },
  TRUNKLINE_CONNECT_RATE: RATE,
  TRUNKLINE_API_RATE: RATE,
  TRUNKLINE_HTTP_RATE: RATE,
  TRUNKLINE_LOG_LEVEL: { values: ['loud', 'INFO', 'warning'], says: /silent.*trace/ },
  TRUNKLINE_INSTANCE: { values: ['two words', 'x'.repeat(65), 'a"b', 'ü'], says: /may have 64 of/ },
  TRUNKLINE_DOMAINS: { values: ['shop', 'chat,shop', 'chat none', 'Chat'], says: /chat/ },
};

/** Any text is a value of these; what is wrong with it shows when it is used. */
const ANY_TEXT = [
  'HOST',
  'NODE_ENV',
  'TRUNKLINE_OPS_HOST',
  'TRUNKLINE_JWT_ISSUER',
  'TRUNKLINE_API_KEYS_FILE',
  'TRUNKLINE_JWT_AUDIENCE',
  'TRUNKLINE_JWT_PUBLIC_KEY_FILE',
  'TRUNKLINE_CHANNELS_FILE',
  'TRUNKLINE_REDIS_CA_FILE',
];

describe('a bad value stops the start, names its variable and says what is right:', () => {
  it('the table below speaks of every variable', () => {
    expect([...Object.keys(BAD), ...ANY_TEXT].toSorted()).toEqual(
      VARIABLES.map(({ name }) => name).toSorted(),
    );
  });

  it.each(
    Object.entries(BAD).flatMap(([name, { values, says }]) =>
      values.map((value) => [name, value, says] as const),
    ),
  )('%s=%s', (name, value, says) => {
    const faults = faultsOf({ [name]: value });
    expect(faults).not.toEqual([]);
    for (const fault of faults) {
      expect(fault).toContain(name);
      expect(fault).toMatch(says);
      expect(fault).toMatch(/\.$/);
    }
  });

  it('all that is wrong is told at once, one line each, in an error a person can read', () => {
    const load = (): unknown =>
      loadConfig({ PORT: 'x', TRUNKLINE_MESSAGE_RATE: 'x', TRUNKLINE_LOG_LEVEL: 'x' });
    expect(load).toThrow(ConfigError);
    expect(load).toThrow(/^The configuration is not valid:\n {2}PORT: .+\n {2}.+\n {2}.+$/);
  });
});

describe('a good value', () => {
  const value = (env: Environment, pick: (config: Config) => unknown): unknown =>
    pick(loadConfig(env).config);

  it.each<[string, string, (config: Config) => unknown, unknown]>([
    ['PORT', '8080', ({ server }) => server.port, 8080],
    ['PORT', ' 8080 ', ({ server }) => server.port, 8080],
    ['PORT', '0', ({ server }) => server.port, 0],
    ['HOST', '127.0.0.1', ({ server }) => server.host, '127.0.0.1'],
    ['TRUNKLINE_JWT_SECRET', SECRET, ({ auth }) => auth.secret, SECRET],
    ['TRUNKLINE_JWT_ISSUER', 'https://id.example.com', ({ auth }) => auth.issuer, 'https://id.example.com'],
    ['TRUNKLINE_JWT_PUBLIC_KEY_FILE', 'key.pem', ({ auth }) => auth.publicKeyFile, 'key.pem'],
    ['TRUNKLINE_JWKS_URL', 'https://id.example/jwks', ({ auth }) => auth.jwksUrl, 'https://id.example/jwks'],
    ['TRUNKLINE_JWKS_STALE_MS', '0', ({ auth }) => auth.jwksStaleMs, 0],
    ['TRUNKLINE_JWT_ALGORITHMS', 'PS256, EdDSA', ({ auth }) => auth.algorithms, ['PS256', 'EdDSA']],
    ['TRUNKLINE_JWT_MAX_LIFE', '3600', ({ auth }) => auth.maxLifeSeconds, 3600],
    ['TRUNKLINE_JWT_AUDIENCE', 'trunkline', ({ auth }) => auth.audience, 'trunkline'],
    [
      'TRUNKLINE_API_KEYS',
      ' key-of-the-backend , key-of-the-worker-1 ,',
      ({ auth }) => auth.apiKeys,
      ['key-of-the-backend', 'key-of-the-worker-1'],
    ],
    [
      'TRUNKLINE_ALLOWED_ORIGINS',
      'https://app.example.com,http://localhost:5173',
      ({ auth }) => auth.allowedOrigins,
      ['https://app.example.com', 'http://localhost:5173'],
    ],
    ['TRUNKLINE_BACKPLANE', 'memory', ({ server }) => server.backplane, 'memory'],
    ['TRUNKLINE_BACKPLANE', 'redis', ({ server }) => server.backplane, 'redis'],
    ['REDIS_URL', 'rediss://u:p@r.example:6380/2', ({ redis }) => redis.url, 'rediss://u:p@r.example:6380/2'],
    ['REDIS_URL', 'redis://a:1,redis://b:2', ({ redis }) => redis.url, 'redis://a:1,redis://b:2'],
    ['REDIS_URL', 'redis+sentinel://a:1,b/m', ({ redis }) => redis.url, 'redis+sentinel://a:1,b/m'],
    ['TRUNKLINE_REDIS_PREFIX', 'shop:eu', ({ redis }) => redis.prefix, 'shop:eu'],
    ['TRUNKLINE_REDIS_REPLICAS', '1', ({ redis }) => redis.waitReplicas, 1],
    ['TRUNKLINE_REDIS_NODE_TTL_MS', '20000', ({ redis }) => [redis.nodeTtlMs, redis.beatMs], [20_000, 5000]],
    ['TRUNKLINE_REDIS_NODE_TTL_MS', '100', ({ redis }) => [redis.nodeTtlMs, redis.beatMs], [100, 25]],
    ['TRUNKLINE_REVOCATION_MS', '86400000', ({ core }) => core.revocationMs, 86_400_000],
    ['TRUNKLINE_POSITION_CHECK_MS', '10000', ({ core }) => core.positionCheckMs, 10_000],
    ['TRUNKLINE_KEEP_ALIVE_MS', '350000', ({ server }) => server.keepAliveMs, 350_000],
    ['TRUNKLINE_CHANNELS_FILE', 'rules.json', ({ server }) => server.channelsFile, 'rules.json'],
    ['TRUNKLINE_OPS_PORT', '9464', ({ ops }) => [ops.port, ops.host], [9464, '127.0.0.1']],
    ['TRUNKLINE_OPS_PORT', '0', ({ ops }) => ops.port, 0],
    ['TRUNKLINE_OPS_HOST', '10.0.0.5', ({ ops }) => ops.host, '10.0.0.5'],
    ['TRUNKLINE_DRAIN_MS', '5000', ({ ops }) => ops.drainMs, 5000],
    ['TRUNKLINE_MAX_MESSAGE_BYTES', '128', ({ ws }) => ws.maxMessageBytes, 128],
    ['TRUNKLINE_OUTBOX_BYTES', '1000', ({ core }) => core.outboxBytes, 1000],
    ['TRUNKLINE_OUTBOX_MESSAGES', '10', ({ core }) => core.outboxMessages, 10],
    ['TRUNKLINE_MAX_CHANNELS_PER_SESSION', '7', ({ core }) => core.maxChannelsPerSession, 7],
    ['TRUNKLINE_MAX_CONNECTIONS_PER_ADDRESS', '300', ({ limits }) => limits.maxConnectionsPerAddress, 300],
    ['TRUNKLINE_MAX_SESSIONS', '100', ({ core }) => core.maxSessions, 100],
    ['TRUNKLINE_MAX_SESSIONS_PER_USER', '3', ({ core }) => core.maxSessionsPerUser, 3],
    ['TRUNKLINE_MESSAGE_RATE', '600/m', ({ limits }) => limits.messageRate, { count: 600, periodMs: 60_000 }],
    ['TRUNKLINE_CONNECT_RATE', '5/10s', ({ limits }) => limits.connectRate, { count: 5, periodMs: 10_000 }],
    ['TRUNKLINE_BYTE_RATE', '9000/1s', ({ limits }) => limits.byteRate, { count: 9000, periodMs: 1000 }],
    ['TRUNKLINE_USER_MESSAGE_RATE', '99/m', ({ limits }) => limits.userMessageRate?.count, 99],
    ['TRUNKLINE_TOTAL_CONNECT_RATE', '500/1s', ({ limits }) => limits.totalConnectRate.count, 500],
    ['TRUNKLINE_FAILED_LOGIN_RATE', '5/1m', ({ limits }) => limits.failedLoginRate.count, 5],
    ['TRUNKLINE_MAX_STRANGERS_PER_ADDRESS', '50', ({ limits }) => limits.maxStrangersPerAddress, 50],
    ['TRUNKLINE_MAX_STRANGERS', '500', ({ limits }) => limits.maxStrangers, 500],
    ['TRUNKLINE_STRANGER_FRAME_BYTES', '9000', ({ limits }) => limits.strangerFrameBytes, 9000],
    [
      'TRUNKLINE_TRUSTED_PROXIES',
      '10.0.0.0/8, ::1',
      ({ limits }) => limits.trustedProxies,
      ['10.0.0.0/8', '::1'],
    ],
    ['TRUNKLINE_LIMITS_DRY_RUN', 'frames,http', ({ limits }) => limits.dryRun, ['frames', 'http']],
    ['TRUNKLINE_LIMITS_DRY_RUN', 'off', ({ limits }) => limits.dryRun, []],
    ['TRUNKLINE_API_RATE', '1000/1h', ({ limits }) => limits.apiRate, { count: 1000, periodMs: 3_600_000 }],
    ['TRUNKLINE_HTTP_RATE', '20/1m', ({ limits }) => limits.httpRate, { count: 20, periodMs: 60_000 }],
    ['TRUNKLINE_LOG_LEVEL', 'debug', ({ ops }) => ops.logLevel, 'debug'],
    ['TRUNKLINE_INSTANCE', 'rt-1.eu:a_b', ({ ops }) => ops.instance, 'rt-1.eu:a_b'],
    ['TRUNKLINE_DOMAINS', 'chat', ({ server }) => server.domains, ['chat']],
    ['TRUNKLINE_DOMAINS', 'none', ({ server }) => server.domains, []],
  ])('%s=%s is taken', (name, text, pick, expected) => {
    expect(value({ [name]: text }, pick)).toEqual(expected);
  });

  it('of the heartbeat reaches both the transport that pings and the core that tells it', () => {
    const { config } = loadConfig({ TRUNKLINE_HEARTBEAT_MS: '1500' });
    expect([config.ws.heartbeatMs, config.core.heartbeatMs]).toEqual([1500, 1500]);
  });

  it('of the name reaches the core that tells it; without one it is host and process', () => {
    expect(value({ TRUNKLINE_INSTANCE: 'rt-1' }, ({ core }) => core.instance)).toBe('rt-1');
    expect(value({}, ({ core }) => core.instance)).toMatch(new RegExp(`^[\\w.-]+-${process.pid}$`));
  });

  it('that is empty or blank counts as not set', () => {
    const empty = Object.fromEntries(VARIABLES.map(({ name }, index) => [name, index % 2 === 0 ? '' : '  ']));
    expect(loadConfig(empty)).toEqual(loadConfig({}));
  });
});

describe('zero', () => {
  it.each<[string, (config: Config) => number]>([
    ['TRUNKLINE_OUTBOX_BYTES', ({ core }) => core.outboxBytes],
    ['TRUNKLINE_OUTBOX_MESSAGES', ({ core }) => core.outboxMessages],
    ['TRUNKLINE_MAX_CHANNELS_PER_SESSION', ({ core }) => core.maxChannelsPerSession],
    ['TRUNKLINE_MAX_SESSIONS_PER_USER', ({ core }) => core.maxSessionsPerUser],
    ['TRUNKLINE_DRAIN_MS', ({ ops }) => ops.drainMs],
    ['TRUNKLINE_MESSAGE_RATE', ({ limits }) => limits.messageRate.count],
    ['TRUNKLINE_CONNECT_RATE', ({ limits }) => limits.connectRate.count],
    ['TRUNKLINE_BYTE_RATE', ({ limits }) => limits.byteRate?.count ?? -1],
    ['TRUNKLINE_USER_MESSAGE_RATE', ({ limits }) => limits.userMessageRate?.count ?? -1],
    ['TRUNKLINE_TOTAL_CONNECT_RATE', ({ limits }) => limits.totalConnectRate.count],
    ['TRUNKLINE_FAILED_LOGIN_RATE', ({ limits }) => limits.failedLoginRate.count],
    ['TRUNKLINE_MAX_CONNECTIONS_PER_ADDRESS', ({ limits }) => limits.maxConnectionsPerAddress],
    ['TRUNKLINE_MAX_STRANGERS_PER_ADDRESS', ({ limits }) => limits.maxStrangersPerAddress],
    ['TRUNKLINE_MAX_STRANGERS', ({ limits }) => limits.maxStrangers],
    ['TRUNKLINE_STRANGER_FRAME_BYTES', ({ limits }) => limits.strangerFrameBytes],
    ['TRUNKLINE_API_RATE', ({ limits }) => limits.apiRate.count],
    ['TRUNKLINE_HTTP_RATE', ({ limits }) => limits.httpRate.count],
  ])('is kept for %s, where it lifts the limit or the wait', (name, pick) => {
    expect(pick(loadConfig({ [name]: '0' }).config)).toBe(0);
  });

  it('for TRUNKLINE_MAX_SESSIONS means as many as the open-file limit leaves room for, as the empty one does', () => {
    const { maxSessions } = loadConfig({ TRUNKLINE_MAX_SESSIONS: '0' }).config.core;
    expect(maxSessions).toBeGreaterThan(0);
    expect(maxSessions).toBe(loadConfig({}).config.core.maxSessions);
  });
});

describe('a name that begins with TRUNKLINE_', () => {
  it('and is unknown is warned of by name, and the start goes on', () => {
    const { warnings } = loadConfig({ TRUNKLINE_PORT: '3000', TRUNKLINE_jwt_secret: SECRET });
    expect(warnings).toHaveLength(2);
    expect(warnings[0]).toContain('TRUNKLINE_PORT');
    expect(warnings[1]).toContain('TRUNKLINE_jwt_secret');
  });

  it('and is known is not warned of, nor are names of others', () => {
    const env = {
      ...Object.fromEntries(VARIABLES.map(({ name }) => [name, ''])),
      PATH: '/bin',
      MY_TRUNKLINE_X: '1',
    };
    expect(loadConfig(env).warnings).toEqual([]);
  });

  it('is never warned of with its value, which may be a secret', () => {
    expect(loadConfig({ TRUNKLINE_JWT_SECRETS: SECRET }).warnings.join()).not.toContain(SECRET);
  });
});

describe('in production', () => {
  it('a secret of one’s own and a list of origins are enough', () => {
    const { config, warnings } = loadConfig(PRODUCTION);
    expect(config.production).toBe(true);
    expect(config.auth.devTokens).toBe(false);
    expect(warnings).toEqual([]);
  });

  it.each<[string, Environment, RegExp]>([
    [
      'a missing secret',
      { TRUNKLINE_JWT_SECRET: undefined },
      /^TRUNKLINE_JWT_SECRET: .*required in production/,
    ],
    ['a blank secret', { TRUNKLINE_JWT_SECRET: '  ' }, /^TRUNKLINE_JWT_SECRET: .*required in production/],
    [
      'the sample secret',
      { TRUNKLINE_JWT_SECRET: DEVELOPMENT_SECRET },
      /^TRUNKLINE_JWT_SECRET: .*sample secret/,
    ],
    [
      'the sample secret with blanks',
      { TRUNKLINE_JWT_SECRET: ` ${DEVELOPMENT_SECRET} ` },
      /^TRUNKLINE_JWT_SECRET: .*sample secret/,
    ],
    ['a short secret', { TRUNKLINE_JWT_SECRET: 'short' }, /^TRUNKLINE_JWT_SECRET: .*32 bytes/],
    [
      'no origins',
      { TRUNKLINE_ALLOWED_ORIGINS: undefined },
      /^TRUNKLINE_ALLOWED_ORIGINS: .*required in production/,
    ],
    [
      'blank origins',
      { TRUNKLINE_ALLOWED_ORIGINS: ' ' },
      /^TRUNKLINE_ALLOWED_ORIGINS: .*required in production/,
    ],
    [
      'a list of no origins',
      { TRUNKLINE_ALLOWED_ORIGINS: ' , ' },
      /^TRUNKLINE_ALLOWED_ORIGINS: .*required in production/,
    ],
  ])('%s stops the start', (_name, change, says) => {
    const faults = faultsOf({ ...PRODUCTION, ...change });
    expect(faults).toHaveLength(1);
    expect(faults[0]).toMatch(says);
  });

  it('the secret is in no fault', () => {
    const env = { ...PRODUCTION, TRUNKLINE_JWT_SECRET: 'hunter2', TRUNKLINE_API_KEYS: 'swordfish' };
    expect(faultsOf(env).join('\n')).not.toMatch(/hunter2|swordfish/);
  });
});

describe('outside production', () => {
  it.each([undefined, '', 'development', 'test'])(
    '(NODE_ENV=%s) nothing has to be set, and tokens are given to who asks',
    (NODE_ENV) => {
      const { config, warnings } = loadConfig({ NODE_ENV });
      expect(config.production).toBe(false);
      expect(config.auth).toMatchObject({ secret: DEVELOPMENT_SECRET, devTokens: true, allowedOrigins: [] });
      expect(warnings).toEqual([]);
    },
  );
});

describe('the port of operators', () => {
  it('is another than the public one', () => {
    const says = ['TRUNKLINE_OPS_PORT: must be another port than PORT.'];
    expect(faultsOf({ PORT: '4000', TRUNKLINE_OPS_PORT: '4000' })).toEqual(says);
    expect(faultsOf({ TRUNKLINE_OPS_PORT: '3000' })).toEqual(says);
    expect(faultsOf({ PORT: '0', TRUNKLINE_OPS_PORT: '0' })).toEqual([]);
  });

  it('is missed by who sets its address alone', () => {
    const { warnings } = loadConfig({ TRUNKLINE_OPS_HOST: '10.0.0.5' });
    expect(warnings).toEqual([expect.stringContaining('no effect without TRUNKLINE_OPS_PORT')]);
    expect(loadConfig({ TRUNKLINE_OPS_HOST: '10.0.0.5', TRUNKLINE_OPS_PORT: '9464' }).warnings).toEqual([]);
  });
});

describe('the key that tokens are checked with', () => {
  const FILE = { TRUNKLINE_JWT_PUBLIC_KEY_FILE: 'key.pem' };
  const URL = { TRUNKLINE_JWKS_URL: 'https://id.example.com/jwks' };
  const NAMED = { TRUNKLINE_JWT_ISSUER: 'https://id.example.com/', TRUNKLINE_JWT_AUDIENCE: 'trunkline' };

  it.each([FILE, { ...URL, ...NAMED }])('in production needs no secret where it is public: %j', (env) => {
    const { config, warnings } = loadConfig({ ...PRODUCTION, TRUNKLINE_JWT_SECRET: undefined, ...env });
    expect(config.production).toBe(true);
    expect(warnings).toEqual([]);
  });

  it.each<[Environment, RegExp]>([
    [{ TRUNKLINE_JWT_SECRET: SECRET, ...FILE }, /SECRET and TRUNKLINE_JWT_PUBLIC_KEY_FILE: set one/],
    [{ TRUNKLINE_JWT_SECRET: SECRET, ...URL }, /SECRET and TRUNKLINE_JWKS_URL: set one/],
    [{ ...FILE, ...URL }, /PUBLIC_KEY_FILE and TRUNKLINE_JWKS_URL: set one/],
    [{ TRUNKLINE_JWT_SECRET: SECRET, ...FILE, ...URL }, /SECRET and .*_FILE and TRUNKLINE_JWKS_URL: set one/],
  ])('is of one kind: %j stops the start', (env, says) => {
    const faults = faultsOf(env);
    expect(faults).toHaveLength(1);
    expect(faults[0]).toMatch(says);
    expect(faults[0]).not.toContain(SECRET);
  });

  it.each([FILE, URL])(
    'gives no development tokens where it is public, since it signs nothing: %j',
    (env) => {
      expect(loadConfig(env).config.auth.devTokens).toBe(false);
    },
  );

  it('of a provider without issuer and audience is warned of', () => {
    const { warnings } = loadConfig(URL);
    expect(warnings).toHaveLength(2);
    expect(warnings.join()).toMatch(/TRUNKLINE_JWT_ISSUER.*TRUNKLINE_JWT_AUDIENCE/);
    expect(loadConfig({ ...URL, ...NAMED }).warnings).toEqual([]);
  });

  it('is told how long revocations are remembered, and a longer life of tokens is warned of', () => {
    const env = { TRUNKLINE_REVOCATION_MS: '3600000', TRUNKLINE_JWT_MAX_LIFE: '3601' };
    const { config, warnings } = loadConfig(env);
    expect(config.auth.revocationSeconds).toBe(3600);
    expect(warnings).toHaveLength(1);
    expect(warnings[0]).toMatch(/TRUNKLINE_JWT_MAX_LIFE is longer than TRUNKLINE_REVOCATION_MS/);
  });
});

describe('the two files of TLS', () => {
  const CERT = { TRUNKLINE_TLS_CERT_FILE: 'cert.pem' };
  const KEY = { TRUNKLINE_TLS_KEY_FILE: 'key.pem' };

  it('are taken together', () => {
    const { tlsCertFile, tlsKeyFile } = loadConfig({ ...CERT, ...KEY }).config.server;
    expect([tlsCertFile, tlsKeyFile]).toEqual(['cert.pem', 'key.pem']);
  });

  it.each([CERT, KEY])('one alone stops the start and names both: %j', (env) => {
    const [fault, ...more] = faultsOf(env);
    expect(more).toEqual([]);
    expect(fault).toMatch(/TRUNKLINE_TLS_CERT_FILE.*TRUNKLINE_TLS_KEY_FILE.*both or none/);
  });
});

describe('the configuration', () => {
  it('is frozen all the way down', () => {
    const { config } = loadConfig({ TRUNKLINE_API_KEYS: 'key-of-the-backend' });
    const open: string[] = [];
    const visit = (value: unknown, path: string): void => {
      if (typeof value !== 'object' || value === null) return;
      if (!Object.isFrozen(value)) open.push(path);
      for (const [key, inner] of Object.entries(value)) visit(inner, `${path}.${key}`);
    };
    visit(config, 'config');
    expect(open).toEqual([]);
    expect(() => config.auth.apiKeys.push('another')).toThrow(TypeError);
  });

  it('does not change when the environment does', () => {
    const env: Record<string, string> = { PORT: '4000' };
    const { config } = loadConfig(env);
    env['PORT'] = '5000';
    expect(config.server.port).toBe(4000);
  });
});
