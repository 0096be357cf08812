// WebSocket under the transport contract.

import { WS } from '../support/transport-adapters.js';
import { transportContract } from './transport.contract.js';

transportContract('WebSocket', WS);
