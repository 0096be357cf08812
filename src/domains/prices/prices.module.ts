// The prices domain as a Nest module. A simulated feed speaks for a market where there is none.

import { Logger, Module, type DynamicModule } from '@nestjs/common';
import { CLOCK, RANDOM, RealtimeService, type Clock, type Random } from '../../index.js';
import { PricesChannel } from './prices.channel.js';
import { PricesFeed } from './prices.feed.js';

export interface PricesModuleOptions {
  /** Publish made-up prices while the application runs. For development: everybody sees them. */
  readonly simulate: boolean;
}

@Module({ providers: [PricesChannel] })
export class PricesModule {
  static forRoot({ simulate }: PricesModuleOptions): DynamicModule {
    return { module: PricesModule, providers: simulate ? [FEED] : [] };
  }
}

const FEED = {
  provide: PricesFeed,
  inject: [RealtimeService, CLOCK, RANDOM],
  useFactory: (realtime: RealtimeService, clock: Clock, random: Random): PricesFeed => {
    const logger = new Logger('Prices');
    return new PricesFeed({
      publish: (channel, event, data, options) => realtime.publish(channel, event, data, options),
      clock,
      random,
      onError: (error) => logger.debug(`A simulated tick was not taken. ${String(error)}`),
    });
  },
};
