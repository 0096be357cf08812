// One channel for each job: who started it listens, the job speaks.

import { Channel, ChannelParam, OnSubscribe, Who, type Identity } from '../../src/index.js';
import { JobsService } from './jobs.service.js';

@Channel('jobs:{job}', {
  publish: 'backend',
  events: ['progress', 'done', 'failed'],
  // Who lost the line gets every step since; who opens the page late sees where the job stands, or how it ended.
  history: { size: 200, ttl: '1h' },
  replayLast: true,
})
export class JobChannel {
  constructor(private readonly jobs: JobsService) {}

  @OnSubscribe()
  join(@Who() who: Identity, @ChannelParam('job') job: string): boolean {
    return this.jobs.isOwner(who.user, job);
  }
}
