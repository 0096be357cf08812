// Environment → one frozen, typed object. The only room that reads process.env; a bad value stops the start and names its variable.

import { readFileSync } from 'node:fs';
import { z } from 'zod';
import { redisOptions, soundRedisOptions } from '../backplanes/redis/redis.options.js';
import { authOptions, DEVELOPMENT_SECRET } from '../auth/auth.options.js';
import { coreOptions } from '../core/core.options.js';
import { limitsOptions } from '../limits/limits.options.js';
import { OPS_HOST, opsOptions } from '../ops/ops.options.js';
import { pollingOptions } from '../transports/polling/polling.options.js';
import { sseOptions } from '../transports/sse/sse.options.js';
import { wsOptions } from '../transports/ws/ws.options.js';
import { serverOptions } from './server.options.js';
import { VARIABLES, type Variable } from './variables.js';

export type Environment = Readonly<Record<string, string | undefined>>;

const schema = z.object({
  server: serverOptions.prefault({}),
  auth: authOptions.prefault({}),
  core: coreOptions.prefault({}),
  limits: limitsOptions.prefault({}),
  ws: wsOptions.prefault({}),
  sse: sseOptions.prefault({}),
  polling: pollingOptions.prefault({}),
  redis: redisOptions.prefault({}),
  ops: opsOptions.prefault({}),
});

export type Config = z.infer<typeof schema> & { readonly production: boolean };

/** Tells what is wrong in sentences a person can act on, one line each. */
export class ConfigError extends Error {
  constructor(readonly faults: readonly string[]) {
    super(['The configuration is not valid:', ...faults.map((fault) => `  ${fault}`)].join('\n'));
    this.name = 'ConfigError';
  }
}

export interface LoadedConfig {
  readonly config: Config;
  readonly warnings: readonly string[];
}

const DEVELOPMENT_MODES: ReadonlySet<string> = new Set(['', 'development', 'test']);
/** A test wants to see its own messages only. */
const SIMULATION_MODES: ReadonlySet<string> = new Set(['', 'development']);

/** Files a process needs beside its sockets: logs, Redis, modules, spare ones for refusals. */
const SPARE_FILES = 256;
/** Of these, files that are left when every connection is taken; the others are connections to be told 503. */
const LAST_FILES = 128;

export function loadConfig(env: Environment = process.env): LoadedConfig {
  // Only what says that it is no deployment gets the sample secret and tokens for everybody: `staging` and `prod` do not.
  const mode = env['NODE_ENV']?.trim() ?? '';
  const production = !DEVELOPMENT_MODES.has(mode);
  const input = readVariables(env);
  (input['auth'] as Record<string, unknown>)['devTokens'] = !production;
  (input['server'] as Record<string, unknown>)['simulate'] = SIMULATION_MODES.has(mode);
  const parsed = schema.safeParse(input);
  if (!parsed.success) throw new ConfigError(parsed.error.issues.map(faultOf));
  const { data } = parsed;
  data.ws.heartbeatMs = data.core.heartbeatMs;
  data.core.instance = data.ops.instance;
  if (data.core.maxSessions === 0) data.core.maxSessions = Math.max(1, openFileLimit() - SPARE_FILES);
  if (data.server.maxConnections === 0)
    data.server.maxConnections = Math.max(1, openFileLimit() - LAST_FILES);
  // The rest of a beat is for one that is late: three fit in always.
  data.redis.beatMs = Math.floor(data.redis.nodeTtlMs / 4);
  // Public keys sign nothing.
  data.auth.devTokens &&= data.auth.publicKeyFile === '' && data.auth.jwksUrl === '';
  data.auth.revocationSeconds = Math.floor(data.core.revocationMs / 1000);
  const faults = [
    ...keyFaults(env),
    ...redisFaults(data.redis),
    ...tlsFaults(data.server),
    ...opsFaults(data),
    ...(production ? productionFaults(env, data) : []),
  ];
  if (faults.length > 0) throw new ConfigError(faults);
  return {
    config: freeze({ ...data, production }),
    warnings: [...unknownNames(env), ...tokenWarnings(data), ...opsWarnings(data)],
  };
}

function readVariables(env: Environment): Record<string, Record<string, unknown>> {
  const input: Record<string, Record<string, unknown>> = {
    server: {},
    auth: {},
    core: {},
    limits: {},
    ws: {},
    sse: {},
    polling: {},
    redis: {},
    ops: {},
  };
  for (const variable of VARIABLES) {
    const text = env[variable.name]?.trim();
    if (text === undefined || text === '' || variable.sets === undefined) continue;
    const [room, option] = variable.sets.split('.') as [string, string];
    (input[room] as Record<string, unknown>)[option] = read(variable, text);
  }
  return input;
}

function read({ reading }: Variable, text: string): unknown {
  if (reading === 'list') {
    const items = text
      .split(',')
      .map((item) => item.trim())
      .filter((item) => item !== '');
    return items.length === 1 && items[0] === 'none' ? [] : items;
  }
  if (reading === 'number') return /^-?[0-9]+(\.[0-9]+)?$/.test(text) ? Number(text) : text;
  return text;
}

function faultOf(issue: z.core.$ZodIssue): string {
  const [room, option] = issue.path;
  const name = VARIABLES.find((variable) => variable.sets === `${String(room)}.${String(option)}`)?.name;
  return `${name ?? issue.path.join('.')}: ${sentenceOf(issue)}.`;
}

/** Zod's own words for numbers speak of types; a person asks for the range. */
function sentenceOf(issue: z.core.$ZodIssue): string {
  if (issue.code === 'too_small' && issue.origin !== 'string')
    return `must be a number of at least ${issue.minimum}`;
  if (issue.code === 'too_big' && issue.origin !== 'string')
    return `must be a number of at most ${issue.maximum}`;
  if (issue.code === 'invalid_type' && (issue.expected === 'int' || issue.expected === 'number'))
    return 'must be a whole number';
  if (issue.code === 'invalid_value') return `must be one of ${issue.values.join(', ')}`;
  return issue.message;
}

function productionFaults(
  env: Environment,
  { auth }: { auth: { allowedOrigins: readonly string[] } },
): string[] {
  const faults: string[] = [];
  const secret = env['TRUNKLINE_JWT_SECRET']?.trim() ?? '';
  if (keyVariables(env).length === 0)
    faults.push(
      `TRUNKLINE_JWT_SECRET: is required in production, or one of ${KEY_VARIABLES.slice(1).join(' and ')}.`,
    );
  if (secret === DEVELOPMENT_SECRET)
    faults.push('TRUNKLINE_JWT_SECRET: is the sample secret; make your own.');
  if (auth.allowedOrigins.length === 0) {
    faults.push('TRUNKLINE_ALLOWED_ORIGINS: is required in production; name the origins of your pages.');
  }
  return faults;
}

/** Each names a kind of key that tokens are checked with. */
const KEY_VARIABLES = [
  'TRUNKLINE_JWT_SECRET',
  'TRUNKLINE_JWT_PUBLIC_KEY_FILE',
  'TRUNKLINE_JWKS_URL',
] as const;

function keyVariables(env: Environment): readonly string[] {
  return KEY_VARIABLES.filter((name) => (env[name]?.trim() ?? '') !== '');
}

/** A server that takes tokens of two kinds takes those of the weaker one. */
function keyFaults(env: Environment): string[] {
  const set = keyVariables(env);
  return set.length > 1
    ? [`${set.join(' and ')}: set one of them; tokens are checked with one kind of key.`]
    : [];
}

function tokenWarnings({ auth, core }: Pick<Config, 'auth' | 'core'>): string[] {
  const warnings: string[] = [];
  if (auth.jwksUrl !== '' && auth.issuer === '')
    warnings.push(
      'TRUNKLINE_JWT_ISSUER is not set: a token of any issuer whose key is in the set of TRUNKLINE_JWKS_URL is taken.',
    );
  if (auth.jwksUrl !== '' && auth.audience === '')
    warnings.push(
      'TRUNKLINE_JWT_AUDIENCE is not set: tokens that your provider gives to other applications are taken.',
    );
  if (auth.maxLifeSeconds * 1000 > core.revocationMs)
    warnings.push(
      'TRUNKLINE_JWT_MAX_LIFE is longer than TRUNKLINE_REVOCATION_MS: a revoked token may become good again.',
    );
  return warnings;
}

function redisFaults(redis: Config['redis']): string[] {
  const { error } = soundRedisOptions.safeParse(redis);
  return (error?.issues ?? []).map((issue) => faultOf({ ...issue, path: ['redis', ...issue.path] }));
}

function tlsFaults({ tlsCertFile, tlsKeyFile }: Config['server']): string[] {
  if ((tlsCertFile === '') === (tlsKeyFile === '')) return [];
  return ['TRUNKLINE_TLS_CERT_FILE and TRUNKLINE_TLS_KEY_FILE: set both or none.'];
}

function opsFaults({ ops, server }: Pick<Config, 'ops' | 'server'>): string[] {
  if (ops.port === 0 || ops.port !== server.port) return [];
  return ['TRUNKLINE_OPS_PORT: must be another port than PORT.'];
}

/** Who sets the address alone thinks that the figures have moved. */
function opsWarnings({ ops }: Pick<Config, 'ops'>): string[] {
  if (ops.port !== 0 || ops.host === OPS_HOST) return [];
  return ['TRUNKLINE_OPS_HOST has no effect without TRUNKLINE_OPS_PORT: health and metrics are on PORT.'];
}

function unknownNames(env: Environment): string[] {
  const known = new Set(VARIABLES.map((variable) => variable.name));
  return Object.keys(env)
    .filter((name) => name.startsWith('TRUNKLINE_') && !known.has(name))
    .map((name) => `${name} is not a variable of this version; it has no effect.`);
}

/** Sockets are files. Linux tells the soft limit here; elsewhere a careful guess. */
function openFileLimit(): number {
  try {
    const line = /^Max open files +([0-9]+)/m.exec(readFileSync('/proc/self/limits', 'utf8'));
    if (line?.[1] !== undefined) return Number(line[1]);
  } catch {
    // Not Linux.
  }
  return 10_000;
}

function freeze<T extends object>(value: T): T {
  for (const inner of Object.values(value)) {
    if (typeof inner === 'object' && inner !== null && !Object.isFrozen(inner)) freeze(inner as object);
  }
  return Object.freeze(value);
}
