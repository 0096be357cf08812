// Serves the pages of /docs. What makes them is loaded at the first request: it costs more time than the rest of the boot may take.

import type { NestExpressApplication } from '@nestjs/platform-express';
import type { NextFunction, Request, Response } from 'express';
import type { DocsSite } from './docs.site.js';

/** `@nestjs/swagger` takes about 0.2 s of CPU to import, a fifth of the second that a start may take. */
export function mountDocs(app: NestExpressApplication): void {
  let site: Promise<DocsSite> | undefined;
  const answer = async (request: Request, response: Response, next: NextFunction): Promise<void> => {
    try {
      site ??= import('./docs.site.js').then(({ buildDocsSite }) => buildDocsSite(app));
      if (!(await site).serve(request, response)) next();
    } catch (error) {
      next(error);
    }
  };
  app.use(
    '/docs',
    (request: Request, response: Response, next: NextFunction) => void answer(request, response, next),
  );
}
