// The jobs as a Nest module: what is handed in, among the `modules` the server starts with.

import { Module, type DynamicModule } from '@nestjs/common';
import { JobChannel } from './job.channel.js';
import { JobsController } from './jobs.controller.js';
import { JOBS_OPTIONS, type JobsOptions } from './jobs.options.js';
import { JobsService } from './jobs.service.js';

@Module({})
export class JobsModule {
  static forRoot(options: JobsOptions = { partMs: 1000 }): DynamicModule {
    return {
      module: JobsModule,
      controllers: [JobsController],
      providers: [JobChannel, JobsService, { provide: JOBS_OPTIONS, useValue: options }],
      exports: [JobsService],
    };
  }
}
