// What a browser may do with our answers: no guessing of types, no frames, no referrer, and nothing at all with data. Knows no page.

import type { NextFunction, Request, RequestHandler, Response } from 'express';

/** A page that needs more says so itself, after these. */
export const EVERY_ANSWER: Readonly<Record<string, string>> = {
  'X-Content-Type-Options': 'nosniff',
  'Referrer-Policy': 'no-referrer',
  'X-Frame-Options': 'DENY',
  'Content-Security-Policy': "object-src 'none'; base-uri 'none'; frame-ancestors 'none'",
};

/** Opened as a page, data runs nothing; as a picture or script of another site it is not even read. */
export const DATA_ANSWER: Readonly<Record<string, string>> = {
  ...EVERY_ANSWER,
  'Content-Security-Policy': "default-src 'none'; base-uri 'none'; frame-ancestors 'none'; sandbox",
  'Cross-Origin-Resource-Policy': 'same-origin',
};

/** A year. Without `includeSubDomains`: other hosts of the domain are not ours to speak for. */
export const STRICT_TRANSPORT = { 'Strict-Transport-Security': 'max-age=31536000' } as const;

const DATA_PATHS = ['/api', '/sse', '/poll', '/metrics'];

/** HSTS where this server itself speaks TLS. Over plain HTTP a browser ignores the promise (RFC 6797 §7.2), and a proxy makes its own. */
export function answerHeaders(): RequestHandler {
  const every = Object.entries(EVERY_ANSWER);
  const data = Object.entries(DATA_ANSWER);
  const secure = Object.entries(STRICT_TRANSPORT);
  return ({ path, socket }: Request, response: Response, next: NextFunction): void => {
    // Routes are found in any case.
    const lower = path.toLowerCase();
    const isData = DATA_PATHS.some((one) => lower === one || lower.startsWith(`${one}/`));
    for (const [name, value] of isData ? data : every) response.setHeader(name, value);
    if ('encrypted' in socket) for (const [name, value] of secure) response.setHeader(name, value);
    next();
  };
}
