// Serves the built web pages with safe headers. Knows no page.

import { existsSync } from 'node:fs';
import type { NestExpressApplication } from '@nestjs/platform-express';
import type { NextFunction, Request, Response } from 'express';

/** Scripts, styles and connections of this very server only. */
const PAGE_POLICY =
  "default-src 'self'; connect-src 'self' ws: wss:; img-src 'self' data:; base-uri 'none'; form-action 'self'; frame-ancestors 'none'";

/** False when the pages are not built; the server works without them. */
export function servePages(app: NestExpressApplication, folder: string): boolean {
  if (!existsSync(folder)) return false;
  app.use((request: Request, response: Response, next: NextFunction) => {
    if (request.method === 'GET' && (request.headers.accept?.includes('text/html') ?? false)) {
      response.setHeader('Content-Security-Policy', PAGE_POLICY);
      response.setHeader('Referrer-Policy', 'no-referrer');
    }
    response.setHeader('X-Content-Type-Options', 'nosniff');
    next();
  });
  app.useStaticAssets(folder, {
    index: 'index.html',
    // `/prices` is prices.html.
    extensions: ['html'],
    redirect: false,
    setHeaders(response: Response, file: string) {
      const hashed = file.includes('assets');
      response.setHeader('Cache-Control', hashed ? 'public, max-age=31536000, immutable' : 'no-cache');
    },
  });
  return true;
}
