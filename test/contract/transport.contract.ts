// What every transport must do, as one body of tests: the same messages, in the same order, with the same promise. Each brings an adapter.

import { afterAll, afterEach, beforeAll, describe } from 'vitest';
import { disposeReaders, type TransportAdapter } from '../support/transport-reader.js';
import { disposeClients } from '../support/ws-client.js';
import { TransportBench } from './transport-bench.js';
import { endContract } from './transport-end.part.js';
import { liveContract } from './transport-live.part.js';
import { payloadContract } from './transport-payload.part.js';
import { resumeContract } from './transport-resume.part.js';
import { rightsContract } from './transport-rights.part.js';
import { sessionContract } from './transport-session.part.js';
import { slowContract } from './transport-slow.part.js';

export function transportContract(name: string, adapter: TransportAdapter): void {
  describe(`transport ${name}`, () => {
    let bench: TransportBench;
    const current = (): TransportBench => bench;
    beforeAll(async () => {
      bench = await TransportBench.start(adapter);
    });
    afterEach(() => {
      disposeReaders();
      disposeClients();
    });
    afterAll(() => bench.end());

    liveContract(current, adapter);
    resumeContract(current);
    rightsContract(current, adapter);
    slowContract(current);
    payloadContract(current);
    endContract(adapter);
    if (adapter.traits.session) sessionContract(current);
  });
}
