// The two families of codes, one table each: errors that answer a frame, and close codes that end a connection. Knows no transport.

/** What the close code's range tells a client to do. `stop`: do not come back by itself. `backoff`: reconnect with full jitter.
 *  `refresh`: renew the credential or state, then reconnect at once. */
export type CloseAdvice = 'stop' | 'backoff' | 'refresh';

export interface CloseRow {
  readonly code: number;
  readonly reason: string;
  readonly doc: string;
}

/** Close codes we send. 1002, 1007 and 1009 of RFC 6455 §7.4.1 are sent by the WebSocket layer itself. */
export const CLOSE = {
  normal: { code: 1000, reason: 'normal', doc: 'The session ended as wished by one side.' },
  goingAway: { code: 1001, reason: 'going away', doc: 'This instance is draining; another one takes over.' },
  protocolError: { code: 1002, reason: 'protocol error', doc: 'RFC 6455 was violated.' },
  invalidPayload: { code: 1007, reason: 'invalid payload', doc: 'A text message was not UTF-8.' },
  policyViolation: { code: 1008, reason: 'policy violation', doc: 'Used when no narrower code fits.' },
  tooBig: { code: 1009, reason: 'message too big', doc: 'A message was over TRUNKLINE_MAX_MESSAGE_BYTES.' },
  internal: { code: 1011, reason: 'internal error', doc: 'The server failed; come back with backoff.' },
  tryLater: { code: 1013, reason: 'try again later', doc: 'The server cannot take this now.' },
  authRequired: {
    code: 4001,
    reason: 'authentication required',
    doc: 'A stranger did not authenticate in time.',
  },
  invalidToken: {
    code: 4002,
    reason: 'invalid token',
    doc: 'The token in an `authenticate` frame was refused.',
  },
  revoked: {
    code: 4003,
    reason: 'revoked',
    doc: 'The user or token was revoked, or disconnected by the backend.',
  },
  violation: { code: 4004, reason: 'protocol violation', doc: 'Ten malformed frames in a row.' },
  overloaded: { code: 4100, reason: 'overloaded', doc: 'The instance sheds load.' },
  rateLimited: {
    code: 4101,
    reason: 'rate limited',
    doc: 'Kept sending far over the rate after being told.',
  },
  tooMany: { code: 4102, reason: 'too many connections', doc: 'The user is over the session cap.' },
  slowConsumer: {
    code: 4103,
    reason: 'slow consumer',
    doc: 'The outbox was over its bound; resume fetches what is missing.',
  },
  expired: { code: 4200, reason: 'token expired', doc: 'The token ended without a refresh.' },
  heartbeat: { code: 4201, reason: 'heartbeat missed', doc: 'No pong within one heartbeat.' },
  moved: { code: 4202, reason: 'moved', doc: 'The session belongs to another instance now.' },
} as const satisfies Record<string, CloseRow>;

/** Stands for an end without a close code (RFC 6455 §7.1.5); never sent. */
export const NO_CLOSE_CODE = 1006;

export type CloseName = keyof typeof CLOSE;

/** Any number, ours or not, to what a client should do: the range alone decides. */
export function closeAdvice(code: number): CloseAdvice {
  if (code >= 4200 && code <= 4299) return 'refresh';
  if (code >= 4000 && code <= 4099) return 'stop';
  if (code === 1000 || code === 1002 || code === 1003 || code === 1007 || code === 1008 || code === 1009)
    return 'stop';
  return 'backoff';
}

export interface ErrorRow {
  /** HTTP status of the same error on REST, SSE and polling. */
  readonly status: number;
  /** True when the same request may succeed later, unchanged. */
  readonly retry: boolean;
  readonly doc: string;
}

export const ERRORS = {
  unauthenticated: { status: 401, retry: false, doc: 'A credential is needed, or the one given is bad.' },
  forbidden: { status: 403, retry: false, doc: 'The identity may not do this on this channel.' },
  invalid_frame: { status: 400, retry: false, doc: 'The frame is not an object of the protocol.' },
  invalid_data: {
    status: 400,
    retry: false,
    doc: 'The frame is well formed, its data is not; see `details`.',
  },
  unknown_event: { status: 400, retry: false, doc: 'No such event, in the protocol or in the application.' },
  unknown_channel: { status: 404, retry: false, doc: 'No channel class or rule matches the name.' },
  not_subscribed: { status: 409, retry: false, doc: 'The session is not subscribed to the channel.' },
  already_subscribed: { status: 409, retry: false, doc: 'The session is already subscribed to the channel.' },
  rate_limited: { status: 429, retry: true, doc: 'Too many frames; wait `retryAfterMs`.' },
  limit_exceeded: { status: 429, retry: false, doc: 'A cap is reached, for example channels per session.' },
  too_large: { status: 413, retry: false, doc: 'The payload is over the bound of the channel.' },
  unavailable: { status: 503, retry: true, doc: 'The backplane is away; nothing was done.' },
  unknown_outcome: {
    status: 504,
    retry: true,
    doc: 'It may have been done; retry only with the idempotency key.',
  },
  expired: { status: 401, retry: false, doc: 'The token has ended; refresh it.' },
  internal: { status: 500, retry: true, doc: 'The server failed; the cause is in its log.' },
} as const satisfies Record<string, ErrorRow>;

export type ErrorCode = keyof typeof ERRORS;

export function isErrorCode(text: unknown): text is ErrorCode {
  return typeof text === 'string' && Object.hasOwn(ERRORS, text);
}
