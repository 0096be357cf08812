// The table of environment variables: name, what it sets, how its text is read. The rooms own types, defaults and validation.

/** How the text of a variable becomes the input of an option. */
export type Reading = 'text' | 'number' | 'list';

export interface Variable {
  readonly name: string;
  /** Room and option it sets, as `room.option`; undefined for the few that the configuration itself reads. */
  readonly sets: string | undefined;
  readonly reading: Reading;
  /** Shown in `.env.example` and in the reference; '' when there is none. */
  readonly example: string;
  readonly doc: string;
}

export const VARIABLES: readonly Variable[] = [
  row('PORT', 'server.port', 'number', '3000', 'Port to listen on. 0 takes a free one.'),
  row('HOST', 'server.host', 'text', '0.0.0.0', 'Address to listen on.'),
  row(
    'NODE_ENV',
    undefined,
    'text',
    'development',
    '`production` refuses sample secrets, open origins and development tokens.',
  ),
  row(
    'TRUNKLINE_KEEP_ALIVE_MS',
    'server.keepAliveMs',
    'number',
    '75000',
    'Milliseconds an idle HTTP connection is kept for the next request. Longer than the proxy in front keeps it.',
  ),
  row(
    'TRUNKLINE_JWT_SECRET',
    'auth.secret',
    'text',
    '',
    'Shared secret of HS256 tokens, at least 32 bytes. Required in production.',
  ),
  row('TRUNKLINE_JWT_ISSUER', 'auth.issuer', 'text', '', 'Required `iss` claim. Empty: not checked.'),
  row('TRUNKLINE_JWT_AUDIENCE', 'auth.audience', 'text', '', 'Required `aud` claim. Empty: not checked.'),
  row(
    'TRUNKLINE_REVOCATION_MS',
    'core.revocationMs',
    'number',
    '2592000000',
    'Milliseconds a revocation is remembered. At least the longest life of a token: one that lives longer becomes good again.',
  ),
  row('TRUNKLINE_API_KEYS', 'auth.apiKeys', 'list', '', 'Keys of backends, at least 16 characters each.'),
  row(
    'TRUNKLINE_ALLOWED_ORIGINS',
    'auth.allowedOrigins',
    'list',
    '',
    'Origins of pages that may connect. Empty: same origin. Required in production.',
  ),
  row(
    'TRUNKLINE_BACKPLANE',
    'server.backplane',
    'text',
    'memory',
    '`memory` for one instance, `redis` for many that act as one.',
  ),
  row(
    'REDIS_URL',
    'redis.url',
    'text',
    'redis://127.0.0.1:6379',
    '`redis://`, `rediss://` with TLS, a comma list of these = seeds of a Cluster, or `redis+sentinel://host:port,host:port/name`, `rediss+sentinel://` with TLS.',
  ),
  row(
    'TRUNKLINE_REDIS_CA_FILE',
    'redis.caFile',
    'text',
    '',
    'PEM file of the authorities that may have signed the certificates of Redis. Empty: those that Node knows.',
  ),
  row(
    'TRUNKLINE_REDIS_PREFIX',
    'redis.prefix',
    'text',
    'trunkline',
    'Begins every key and bus channel in Redis.',
  ),
  row(
    'TRUNKLINE_REDIS_REPLICAS',
    'redis.waitReplicas',
    'number',
    '0',
    'Replicas of Redis that must have a message within a second before it is acknowledged. 0: none. Not with a Cluster.',
  ),
  row(
    'TRUNKLINE_REDIS_NODE_TTL_MS',
    'redis.nodeTtlMs',
    'number',
    '10000',
    'Milliseconds without a sign of life after which the others take an instance for dead and end its presence; signs come four times as often.',
  ),
  row('TRUNKLINE_CHANNELS_FILE', 'server.channelsFile', 'text', '', 'JSON file with rules of channels.'),
  row(
    'TRUNKLINE_TLS_CERT_FILE',
    'server.tlsCertFile',
    'text',
    '',
    'PEM certificate chain; with the key it makes the port https and wss.',
  ),
  row('TRUNKLINE_TLS_KEY_FILE', 'server.tlsKeyFile', 'text', '', 'PEM private key.'),
  row(
    'TRUNKLINE_DRAIN_MS',
    'ops.drainMs',
    'number',
    '30000',
    'Milliseconds over which SIGTERM spreads the moves of sessions.',
  ),
  row(
    'TRUNKLINE_HEARTBEAT_MS',
    'core.heartbeatMs',
    'number',
    '25000',
    'Milliseconds between pings; a pong may take one more.',
  ),
  row(
    'TRUNKLINE_SSE_HEARTBEAT_MS',
    'sse.heartbeatMs',
    'number',
    '15000',
    'Milliseconds between comments on an event stream.',
  ),
  row(
    'TRUNKLINE_SSE_MAX_MS',
    'sse.maxStreamMs',
    'number',
    '900000',
    'Milliseconds an event stream lives before its client is asked to come back.',
  ),
  row(
    'TRUNKLINE_MAX_MESSAGE_BYTES',
    'ws.maxMessageBytes',
    'number',
    '65536',
    'Bytes of one message from a client.',
  ),
  row(
    'TRUNKLINE_OUTBOX_BYTES',
    'core.outboxBytes',
    'number',
    '1048576',
    'Bytes that may wait for one session. 0: no limit.',
  ),
  row(
    'TRUNKLINE_OUTBOX_MESSAGES',
    'core.outboxMessages',
    'number',
    '4096',
    'Messages that may wait for one session. 0: no limit.',
  ),
  row(
    'TRUNKLINE_MAX_CHANNELS_PER_SESSION',
    'core.maxChannelsPerSession',
    'number',
    '128',
    'Channels of one session. 0: no limit.',
  ),
  row(
    'TRUNKLINE_MAX_SESSIONS',
    'core.maxSessions',
    'number',
    '',
    'Sessions of one instance. Empty or 0: as many as the open-file limit leaves room for.',
  ),
  row(
    'TRUNKLINE_MAX_SESSIONS_PER_USER',
    'core.maxSessionsPerUser',
    'number',
    '16',
    'Sessions of one user. 0: no limit.',
  ),
  row(
    'TRUNKLINE_POSITION_CHECK_MS',
    'core.positionCheckMs',
    'number',
    '5000',
    'Milliseconds between comparisons of quiet channels with the log, at most 10000. What was lost on the bus is found within it and half a second.',
  ),
  row(
    'TRUNKLINE_MESSAGE_RATE',
    'limits.messageRate',
    'text',
    '10/1s',
    'Frames of one session; twice the count may come at once. 0: no limit.',
  ),
  row(
    'TRUNKLINE_CONNECT_RATE',
    'limits.connectRate',
    'text',
    '0',
    'Connections from one address. 0: no limit.',
  ),
  row('TRUNKLINE_API_RATE', 'limits.apiRate', 'text', '0', 'Requests with API keys. 0: no limit.'),
  row(
    'TRUNKLINE_HTTP_RATE',
    'limits.httpRate',
    'text',
    '100/1m',
    'HTTP requests without a credential, per address. 0: no limit.',
  ),
  row(
    'TRUNKLINE_LOG_LEVEL',
    'ops.logLevel',
    'text',
    'info',
    '`silent`, `fatal`, `error`, `warn`, `info`, `debug` or `trace`.',
  ),
  row(
    'TRUNKLINE_INSTANCE',
    'ops.instance',
    'text',
    '',
    'Name of this instance, told to clients. Empty: host name and process id.',
  ),
  row(
    'TRUNKLINE_DOMAINS',
    'server.domains',
    'list',
    'chat,notifications,prices',
    'Sample domains to run. `none` for none.',
  ),
];

function row(
  ...[name, sets, reading, example, doc]: [string, string | undefined, Reading, string, string]
): Variable {
  return { name, sets, reading, example, doc };
}
