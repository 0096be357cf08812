// Makes Express agree with the limits about where a request comes from: `request.ip`, and whose X-Forwarded- headers are believed.

import type { NestExpressApplication } from '@nestjs/platform-express';
import type { NextFunction, Request, Response } from 'express';
import { Addresses, normalAddress } from './address.js';

/** Call before any middleware that asks for `request.ip`. */
export function useClientAddress(app: NestExpressApplication): void {
  const addresses = app.get(Addresses);
  app.set('trust proxy', (written: string) => {
    const address = normalAddress(written);
    return address !== undefined && addresses.trusts(address);
  });
  // Express would hand out whatever stands in the header where its reading ends, address or not.
  app.use((request: Request, _response: Response, next: NextFunction): void => {
    Object.defineProperty(request, 'ip', { value: addresses.of(request) });
    next();
  });
}
