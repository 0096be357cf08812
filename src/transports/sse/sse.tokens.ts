// Injection tokens and fixed names of the SSE transport.

export const SSE_OPTIONS = Symbol('SSE_OPTIONS');
/** Fixed by the protocol. */
export const SSE_PATH = 'sse';
/** The id of the last event of a stream whose client shall not come back: it is answered 204. No cursor looks like it. */
export const END_ID = 'end';
