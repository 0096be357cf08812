// Rules for names that come from outside: channels, users, events, keys. Pure checks, no policy.

/** Longest channel name in UTF-16 units. Redis keys and SSE lines carry it, so it stays small. */
export const MAX_CHANNEL_LENGTH = 200;
export const MAX_USER_LENGTH = 128;
export const MAX_EVENT_LENGTH = 64;
export const MAX_KEY_LENGTH = 128;

// \p{C}: control, format (bidi and zero-width), surrogate halves, private and unassigned; \p{Z}: all spaces, \p{Zl} and \p{Zp} those that
// break lines. \p{DI}: what is not shown, such as fillers and variation selectors; with it two names could look like one.
// `{}` would let a name choose its Redis hash slot; `*` belongs to patterns; `"` and `\` keep names safe in logs and JSON.
const CHANNEL = /^[^\p{C}\p{Z}\p{DI}{}*"\\]+$/u;
const LABEL = /^[^\p{C}\p{Zl}\p{Zp}\p{DI}"\\]+$/u;
const EVENT = /^[^\p{C}\p{Z}\p{DI}"\\]+$/u;

export function isChannelName(text: unknown): text is string {
  return (
    typeof text === 'string' && text.length > 0 && text.length <= MAX_CHANNEL_LENGTH && CHANNEL.test(text)
  );
}

export function isUserId(text: unknown): text is string {
  return typeof text === 'string' && text.length > 0 && text.length <= MAX_USER_LENGTH && LABEL.test(text);
}

export function isEventName(text: unknown): text is string {
  return typeof text === 'string' && text.length > 0 && text.length <= MAX_EVENT_LENGTH && EVENT.test(text);
}

/** Conflation keys and idempotency keys. */
export function isKey(text: unknown): text is string {
  return typeof text === 'string' && text.length > 0 && text.length <= MAX_KEY_LENGTH && LABEL.test(text);
}
