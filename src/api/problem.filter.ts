// The last stop of every HTTP request that failed: application/problem+json for the client, the cause of our own faults for the log.

import { Catch, Logger, type ArgumentsHost, type ExceptionFilter } from '@nestjs/common';
import type { Request, Response } from 'express';
import { toProblem, type Problem } from './problem.js';

export const PROBLEM_TYPE = 'application/problem+json';

@Catch()
export class ProblemFilter implements ExceptionFilter {
  private readonly logger = new Logger('Http');

  /** Global filters also reach handlers that Nest runs outside HTTP; what those throw goes on to their caller. */
  catch(exception: unknown, host: ArgumentsHost): void {
    if (host.getType() !== 'http') throw exception as Error;
    const http = host.switchToHttp();
    const response = http.getResponse<Response>();
    const problem = toProblem(exception);
    if (problem.code === 'internal') this.report(exception, http.getRequest<Request>());
    if (response.headersSent) response.destroy();
    else sendProblem(response, problem);
  }

  /** The query may carry a token, so only the path is logged. */
  private report(exception: unknown, { method, originalUrl }: Request): void {
    const path = originalUrl.split('?', 1)[0];
    const cause = exception instanceof Error ? exception : new Error(String(exception));
    const inner =
      cause.cause instanceof Error ? `\nCaused by ${cause.cause.stack ?? cause.cause.message}` : '';
    this.logger.error(`${method} ${path} failed.`, `${cause.stack ?? cause.message}${inner}`);
  }
}

export function sendProblem(response: Response, problem: Problem): void {
  response.status(problem.status);
  response.setHeader('Content-Type', PROBLEM_TYPE);
  response.setHeader('Cache-Control', 'no-store');
  response.setHeader('X-Content-Type-Options', 'nosniff');
  if (problem.status === 401) response.setHeader('WWW-Authenticate', 'Bearer');
  if (problem.retryAfterMs !== undefined) {
    response.setHeader('Retry-After', String(Math.ceil(problem.retryAfterMs / 1000)));
  }
  response.end(JSON.stringify(problem));
}
