// Lets pages of the allowed origins read answers from another host (Fetch standard, CORS). One list for this and for connecting.

import type { NextFunction, Request, RequestHandler, Response } from 'express';
import type { OriginPolicy } from './origin.js';

const PATHS = ['/api', '/sse', '/poll'];
const METHODS = 'GET, POST, DELETE';
const HEADERS = 'Authorization, Content-Type, Idempotency-Key, Last-Event-ID, If-None-Match, Cache-Control';
const READABLE = 'ETag, Retry-After';
/** Seconds a browser may keep the answer to its preflight; two hours is the most any takes. */
const KEEP_SECONDS = 600;

/** An origin that is not on the list gets no header, so its pages read nothing; a wildcard is never sent. */
export function allowCors(origins: OriginPolicy): RequestHandler {
  return (request: Request, response: Response, next: NextFunction): void => {
    const { origin } = request.headers;
    const asked = request.path.toLowerCase();
    const ours = PATHS.some((path) => asked === path || asked.startsWith(`${path}/`));
    if (origin === undefined || !ours || !origins.isListed(origin)) return next();
    response.setHeader('Access-Control-Allow-Origin', origin);
    response.setHeader('Access-Control-Allow-Credentials', 'true');
    response.setHeader('Access-Control-Expose-Headers', READABLE);
    response.appendHeader('Vary', 'Origin');
    if (request.method !== 'OPTIONS' || request.headers['access-control-request-method'] === undefined)
      return next();
    response.setHeader('Access-Control-Allow-Methods', METHODS);
    response.setHeader('Access-Control-Allow-Headers', HEADERS);
    response.setHeader('Access-Control-Max-Age', String(KEEP_SECONDS));
    response.status(204).end();
  };
}
