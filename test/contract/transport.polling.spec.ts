// Long and short polling under the transport contract.

import { LONG_POLLING, SHORT_POLLING } from '../support/transport-adapters.js';
import { transportContract } from './transport.contract.js';

transportContract('long polling', LONG_POLLING);
transportContract('short polling', SHORT_POLLING);
