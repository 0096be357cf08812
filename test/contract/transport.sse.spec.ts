// SSE under the transport contract.

import { SSE } from '../support/transport-adapters.js';
import { transportContract } from './transport.contract.js';

transportContract('SSE', SSE);
