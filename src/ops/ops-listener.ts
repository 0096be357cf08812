// The listener for operators: health and metrics on a port of their own, and not on the public one. Knows no transport and no answer, only
// which paths belong to which port.

import { createServer, type RequestListener, type Server } from 'node:http';
import { NotFoundException, type OnApplicationBootstrap, type OnApplicationShutdown } from '@nestjs/common';
import type { HttpAdapterHost } from '@nestjs/core';
import type { NextFunction, Request, RequestHandler, Response } from 'express';
import { TrunklineError } from '../core/errors.js';
import type { CoreLogger } from '../core/ports/application.js';
import { boundServer, type ServerBounds } from './http-server.js';
import type { OpsOptions } from './ops.options.js';

/** Express takes a path in any case, and with a slash at its end; what lies below belongs to it. */
const PATHS = /^\/(?:metrics|health)(?:\/|$)/i;
/** Probes and scrapers need a few. Half of the files that are left when every public connection is taken. */
const MAX_CONNECTIONS = 64;

export interface OpsListenerParts {
  readonly options: Pick<OpsOptions, 'port' | 'host'>;
  readonly bounds: Omit<ServerBounds, 'maxConnections'>;
  /** The application, whose routes answer here too. */
  readonly host: Pick<HttpAdapterHost, 'httpAdapter'>;
  readonly logger: CoreLogger;
}

export class OpsListener implements OnApplicationBootstrap, OnApplicationShutdown {
  private server: Server | undefined;
  private readonly asked = new WeakSet<Request>();

  constructor(private readonly parts: OpsListenerParts) {}

  /** A path on the wrong port is not there. Goes before everything that answers. */
  divide(): RequestHandler {
    if (this.parts.options.port === 0) return (_request, _response, next) => next();
    return (request: Request, _response: Response, next: NextFunction): void => {
      if (PATHS.test(request.path) === this.asked.has(request)) next();
      else next(new NotFoundException());
    };
  }

  /** Before the public port: an instance that cannot be watched takes nobody in. */
  async onApplicationBootstrap(): Promise<void> {
    const { options, bounds, host, logger } = this.parts;
    if (options.port === 0) return;
    const answer = host.httpAdapter.getInstance<RequestListener>();
    const server = createServer((request, response) => {
      this.asked.add(request as Request);
      answer(request, response);
    });
    boundServer(server, { ...bounds, maxConnections: MAX_CONNECTIONS }, logger);
    try {
      await listening(server, options);
    } catch (cause) {
      const reason = cause instanceof Error ? cause.message : String(cause);
      throw new TrunklineError('unavailable', `Health and metrics cannot be served: ${reason}`, { cause });
    }
    // By itself it keeps no process alive: not one whose public port could not be opened.
    server.unref();
    this.server = server;
  }

  /** The last of the doors to close, so that a stop can be watched to its end. Whoever is connected then is cut off: nothing may hold it up. */
  async onApplicationShutdown(): Promise<void> {
    const { server } = this;
    if (server === undefined) return;
    await new Promise<void>((resolve) => {
      server.close(() => resolve());
      server.closeAllConnections();
    });
  }
}

function listening(server: Server, place: Pick<OpsOptions, 'port' | 'host'>): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(place, () => {
      server.off('error', reject);
      resolve();
    });
  });
}
