// Jobs over HTTP: start one, cancel it. How far it is comes by its channel, not from here.

import {
  Body,
  Controller,
  Delete,
  HttpCode,
  Inject,
  NotFoundException,
  Param,
  Post,
  ValidationPipe,
} from '@nestjs/common';
import { Authenticated, Caller, TrunklineError, type Identity } from '../../src/index.js';
import { ExportDto } from './export.dto.js';
import { exportWork } from './export.work.js';
import { JobsService } from './jobs.service.js';
import { JOBS_OPTIONS, type JobsOptions } from './jobs.options.js';

interface Accepted {
  readonly job: string;
  readonly channel: string;
  /** Where its progress is told as Server-Sent Events. */
  readonly stream: string;
}

@Controller('jobs')
@Authenticated()
export class JobsController {
  constructor(
    private readonly jobs: JobsService,
    @Inject(JOBS_OPTIONS) private readonly options: JobsOptions,
  ) {}

  @Post()
  @HttpCode(202)
  start(
    @Caller() who: Identity,
    @Body(new ValidationPipe({ transform: true })) { rows = 1000 }: ExportDto,
  ): Accepted {
    const job = this.jobs.start(userOf(who), exportWork(rows, this.options.partMs));
    return { job, channel: `jobs:${job}`, stream: `/sse?channel=jobs:${job}` };
  }

  /** Somebody else's job looks like none. The channel tells when it has ended. */
  @Delete(':job')
  @HttpCode(202)
  cancel(@Caller() who: Identity, @Param('job') job: string): void {
    if (!this.jobs.isOwner(userOf(who), job)) throw new NotFoundException();
    this.jobs.cancel(job);
  }
}

/** A job belongs to a user; a backend has no name to give it. */
function userOf({ user }: Identity): string {
  if (user === undefined) throw new TrunklineError('unauthenticated', 'Log in first.');
  return user;
}
