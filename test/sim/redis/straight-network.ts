// A network without delay and fault, for tests of the fake Redis alone. Knows no command.

import type { Network, Wire } from './port.js';

const WIRE: Wire = { send: (deliver) => queueMicrotask(deliver) };

export const STRAIGHT_NETWORK: Network = { open: () => ({ toServer: WIRE, toClient: WIRE }) };
