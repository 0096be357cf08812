// Serves the built web pages with safe headers. Knows no page.

import { existsSync } from 'node:fs';
import { relative, sep } from 'node:path';
import type { NestExpressApplication } from '@nestjs/platform-express';
import type { Response } from 'express';

/** Scripts, styles and connections of this very server only; `'self'` covers its WebSocket too. */
const PAGE_POLICY =
  "default-src 'self'; img-src 'self' data:; object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'";

/** False when the pages are not built; the server works without them. */
export function servePages(app: NestExpressApplication, folder: string): boolean {
  if (!existsSync(folder)) return false;
  app.useStaticAssets(folder, {
    index: 'index.html',
    // `/prices` is prices.html.
    extensions: ['html'],
    redirect: false,
    setHeaders(response: Response, file: string) {
      if (file.endsWith('.html')) response.setHeader('Content-Security-Policy', PAGE_POLICY);
      const hashed = relative(folder, file).startsWith(`assets${sep}`);
      response.setHeader('Cache-Control', hashed ? 'public, max-age=31536000, immutable' : 'no-cache');
    },
  });
  return true;
}
