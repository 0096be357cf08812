// Thrown things → problems: statuses, codes, and which texts may be told.

import {
  BadRequestException,
  ConflictException,
  GatewayTimeoutException,
  HttpException,
  InternalServerErrorException,
  NotFoundException,
  ServiceUnavailableException,
  UnprocessableEntityException,
  type ArgumentsHost,
} from '@nestjs/common';
import { describe, expect, it } from 'vitest';
import { ProblemFilter } from '../../src/api/problem.filter.js';
import { toProblem } from '../../src/api/problem.js';
import { TrunklineError } from '../../src/core/errors.js';
import { ERRORS, type ErrorCode } from '../../src/protocol/codes.js';

describe('errors of the protocol', () => {
  it.each(Object.keys(ERRORS) as ErrorCode[])('keep their code and the status of the table: %s', (code) => {
    const problem = toProblem(new TrunklineError(code, 'A sentence.'));
    const { status, retry } = ERRORS[code];
    expect(problem).toMatchObject({ type: 'about:blank', status, code, retry, detail: 'A sentence.' });
  });

  it('keep details and the time to wait, and never their cause', () => {
    const details = [{ path: 'event', message: 'must be a name' }];
    const cause = new Error('inner');
    const problem = toProblem(
      new TrunklineError('rate_limited', 'Wait.', { details, retryAfterMs: 5, cause }),
    );
    expect(problem).toMatchObject({ details, retryAfterMs: 5 });
    expect(JSON.stringify(problem)).not.toContain('inner');
  });

  it('are found where a library wrapped them', () => {
    const inner = new TrunklineError('invalid_data', 'Too deep.');
    expect(toProblem(new HttpException('Forbidden', 403, { cause: inner }))).toMatchObject({
      status: 400,
      detail: 'Too deep.',
    });
  });
});

describe('exceptions of Nest', () => {
  it.each([
    [new BadRequestException('No.'), 400, 'invalid_data', 'No.'],
    [new UnprocessableEntityException('No.'), 422, 'invalid_data', 'No.'],
    [new ConflictException('Taken.'), 409, 'conflict', 'Taken.'],
    [new HttpException('Pay.', 402), 402, 'payment_required', 'Pay.'],
    [new HttpException("I'm one.", 418), 418, 'i_m_a_teapot', "I'm one."],
    [new HttpException('Odd.', 499), 499, 'error', 'Odd.'],
    [new ServiceUnavailableException('Later.'), 503, 'unavailable', 'Later.'],
    [new GatewayTimeoutException('Late.'), 504, 'unknown_outcome', 'Late.'],
  ])('tell what their author wrote: %s', (exception, status, code, detail) => {
    expect(toProblem(exception)).toMatchObject({ status, code, detail });
  });

  it('do not repeat the path of a route that is not there', () => {
    const problem = toProblem(new NotFoundException('Cannot GET /secret'));
    expect(problem).toMatchObject({ status: 404, code: 'not_found' });
    expect(JSON.stringify(problem)).not.toContain('secret');
  });

  it('that say the server failed tell nothing more', () => {
    for (const exception of [new InternalServerErrorException('inner'), new HttpException('inner', 502)]) {
      const problem = toProblem(exception);
      expect(problem).toMatchObject({ status: exception.getStatus(), code: 'internal' });
      expect(JSON.stringify(problem)).not.toContain('inner');
    }
  });

  it('of a validation pipe give each message as a detail', () => {
    const exception = new BadRequestException(['text must be a string', 'size must be a number']);
    expect(toProblem(exception)).toMatchObject({
      detail: 'text must be a string',
      details: [
        { path: '', message: 'text must be a string' },
        { path: '', message: 'size must be a number' },
      ],
    });
  });

  it('with a body of their own survive', () => {
    for (const body of [{}, { message: 7 }, { message: [1, 'two'] }, []]) {
      expect(toProblem(new BadRequestException(body))).toMatchObject({ status: 400, code: 'invalid_data' });
    }
  });
});

describe('anything else', () => {
  it.each([
    new Error('inner'),
    new TypeError('inner'),
    'inner',
    { status: 200, message: 'inner' },
    undefined,
    null,
    7,
  ])('is an internal error without a text: %s', (thrown) => {
    const problem = toProblem(thrown);
    expect(problem).toMatchObject({
      status: 500,
      code: 'internal',
      title: 'Internal Server Error',
      retry: true,
    });
    expect(JSON.stringify(problem)).not.toContain('inner');
  });

  it('that is thrown outside HTTP goes on to its caller', () => {
    const thrown = new TrunklineError('forbidden', 'No.');
    const host = { getType: () => 'ws' } as ArgumentsHost;
    expect(() => new ProblemFilter().catch(thrown, host)).toThrow(thrown);
  });
});
