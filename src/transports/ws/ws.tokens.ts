// Injection tokens and fixed names of the WebSocket transport.

export const WS_OPTIONS = Symbol('WS_OPTIONS');
/** Fixed by the protocol: clients of every version find us here. */
export const WS_PATH = '/ws';
