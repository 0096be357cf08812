// What the REST room asks of the application around it: body limits, headers, problems as the form of errors, the pages of /docs.

import type { ExpressAdapter, NestExpressApplication } from '@nestjs/platform-express';
import type { NextFunction, Request, Response } from 'express';
import { API_OPTIONS, type ApiOptions } from './api.options.js';
import { mountDocs } from './docs.js';
import { verifyJson } from './json-body.js';
import { ProblemFilter } from './problem.filter.js';

/** Call before `app.init()` or `app.listen()`. WebSocket gateways are not touched: global filters do not reach them. */
export function configureApi(app: NestExpressApplication): void {
  const { maxBodyBytes } = app.get<ApiOptions>(API_OPTIONS, { strict: false });
  app.disable('x-powered-by');
  // Express would print an ETag for each answer, and a shared cache must learn nothing of private data.
  app.disable('etag');
  app.use('/api', apiHeaders);
  const limit = maxBodyBytes === 0 ? Infinity : maxBodyBytes;
  // Through the adapter, since the application would put its own `verify` in place of ours. Ours keeps `rawBody` as well.
  const options = { limit, verify: verifyJson };
  (app.getHttpAdapter() as unknown as ExpressAdapter).useBodyParser('json', false, options);
  app.useGlobalFilters(new ProblemFilter());
  mountDocs(app);
}

function apiHeaders(_request: Request, response: Response, next: NextFunction): void {
  response.setHeader('Cache-Control', 'no-store');
  response.setHeader('Vary', 'Origin, Cookie, Authorization');
  response.setHeader('X-Content-Type-Options', 'nosniff');
  next();
}
