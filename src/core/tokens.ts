// Injection tokens of the ports of core: each room that fills a port provides one of these. Knows no room.

export const BACKPLANE = Symbol('BACKPLANE');
export const CHANNEL_ROUTER = Symbol('CHANNEL_ROUTER');
export const AUTHENTICATOR = Symbol('AUTHENTICATOR');
export const SESSION_HOOKS = Symbol('SESSION_HOOKS');
export const RATE_GATES = Symbol('RATE_GATES');
export const CORE_LIMITS = Symbol('CORE_LIMITS');
export const CORE_LOGGER = Symbol('CORE_LOGGER');
export const REVOCATIONS = Symbol('REVOCATIONS');
export const CORE_OPTIONS = Symbol('CORE_OPTIONS');
export const CLOCK = Symbol('CLOCK');
export const RANDOM = Symbol('RANDOM');
