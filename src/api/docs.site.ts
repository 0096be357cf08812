// The pages of /docs: Swagger UI and the OpenAPI document. Loaded lazily; see docs.ts.

import { createRequire } from 'node:module';
import { dirname } from 'node:path';
import type { NestExpressApplication } from '@nestjs/platform-express';
import type { Request, Response } from 'express';
import { buildOpenApi } from './openapi.js';

export interface DocsSite {
  /** False: no page has this name. */
  serve(request: Request, response: Response): boolean;
}

/** Swagger UI's package also holds source maps and a sample page; these are the files its page needs. */
const ASSETS: ReadonlySet<string> = new Set(['swagger-ui.css', 'swagger-ui-bundle.js', 'favicon-32x32.png']);

/** No inline script and no inline style runs here. Swagger UI shows icons as `data:` images. */
const POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self' data:",
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join('; ');

/** `base` is where the files lie, seen from the page: /docs and /docs/ differ in it. */
const page = (base: string): string => `<!doctype html>
<html lang="en">
  <head>
    <meta charset="utf-8" />
    <meta name="viewport" content="width=device-width, initial-scale=1" />
    <title>Trunkline REST API</title>
    <link rel="icon" type="image/png" href="${base}favicon-32x32.png" />
    <link rel="stylesheet" href="${base}swagger-ui.css" />
  </head>
  <body>
    <div id="swagger-ui"></div>
    <script src="${base}swagger-ui-bundle.js"></script>
    <script src="${base}start.js" data-document="${base}json"></script>
  </body>
</html>
`;

/** `validatorUrl: null` keeps the page from asking a server outside. */
const START = `SwaggerUIBundle({
  url: document.currentScript.dataset.document,
  dom_id: '#swagger-ui',
  deepLinking: true,
  persistAuthorization: false,
  validatorUrl: null,
});
`;

export function buildDocsSite(app: NestExpressApplication): DocsSite {
  const root = dirname(createRequire(import.meta.url).resolve('swagger-ui-dist/package.json'));
  const document = JSON.stringify(buildOpenApi(app));
  const serve = (request: Request, response: Response): boolean => {
    if (request.method !== 'GET' && request.method !== 'HEAD') return false;
    const name = request.path.slice(1);
    response.setHeader('Content-Security-Policy', POLICY);
    response.setHeader('X-Content-Type-Options', 'nosniff');
    if (ASSETS.has(name)) response.sendFile(name, { root, maxAge: '1h' });
    else if (name === '')
      response
        .type('html')
        .send(page(request.originalUrl.split('?', 1)[0]?.endsWith('/') ? './' : './docs/'));
    else if (name === 'json') response.type('json').send(document);
    else if (name === 'start.js') response.type('js').send(START);
    else return false;
    return true;
  };
  return { serve };
}
