// Which requests are read at all: a path as target, one Host, few headers. What two servers in a row may read in two ways is refused, and
// nothing behind it on its connection is served. Knows no route and no caller.

import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import { HttpException } from '@nestjs/common';
import type { NextFunction, Request, RequestHandler, Response } from 'express';

/** Browsers send about 20 and proxies add ten. Node leaves out what is over its bound without a word, so we refuse at it. */
export const MAX_HEADERS = 100;

/** RFC 9112 §3.2 knows no fragment there and RFC 3986 no backslash in a path: what a proxy takes for another path, we might serve. */
const AMBIGUOUS = /#|^[^?]*\\/;

export interface FormFault {
  readonly status: number;
  readonly detail: string;
}

/** RFC 9112 §3.2 and §6.1, as far as Node leaves it to us. */
export function formFault({
  url,
  rawHeaders,
  httpVersionMinor,
  headers,
}: IncomingMessage): FormFault | undefined {
  if (rawHeaders.length >= 2 * MAX_HEADERS)
    return { status: 431, detail: `A request has fewer than ${MAX_HEADERS} headers.` };
  const hosts = rawHeaders.filter((name, at) => at % 2 === 0 && name.toLowerCase() === 'host').length;
  if (hosts > 1 || (hosts === 0 && httpVersionMinor !== 0))
    return { status: 400, detail: 'A request has one Host header.' };
  if (url === undefined || !url.startsWith('/'))
    return { status: 400, detail: 'The target of a request is a path: this server is no proxy.' };
  if (AMBIGUOUS.test(url))
    return { status: 400, detail: 'The target of a request has no fragment, and no backslash in its path.' };
  if (httpVersionMinor === 0 && headers['transfer-encoding'] !== undefined)
    return { status: 400, detail: 'HTTP/1.0 has no Transfer-Encoding.' };
  return undefined;
}

const cut = new WeakSet<Duplex>();

/** A request on this connection was refused for its form: what follows may be a part of its body. */
export function isCutOff(socket: Duplex): boolean {
  return cut.has(socket);
}

/** The first handler of all: Node may have read the next request of a segment before the first is answered. */
export function strictRequests(): RequestHandler {
  return (request: Request, response: Response, next: NextFunction): void => {
    if (isCutOff(request.socket)) return;
    const fault = formFault(request);
    if (fault === undefined) return next();
    cut.add(request.socket);
    response.setHeader('Connection', 'close');
    next(new HttpException(fault.detail, fault.status));
  };
}
