// Injection tokens and fixed names of the polling transport.

export const POLLING_OPTIONS = Symbol('POLLING_OPTIONS');
/** Fixed by the protocol. */
export const POLL_PATH = 'poll';
