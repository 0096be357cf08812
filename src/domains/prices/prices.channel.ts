// The tickers: everybody may watch, the backend tells the price. A slow reader gets the newest price, not all of them.

import { Channel, OnPublish, Payload } from '../../index.js';
import { TickDto } from './tick.dto.js';

@Channel('prices:{symbol}', {
  subscribe: 'anyone',
  publish: 'backend',
  events: ['tick'],
  // The last value is kept for who comes next, and nothing else.
  history: { size: 1, ttl: '1d' },
  replayLast: true,
  overflow: 'conflate',
})
export class PricesChannel {
  @OnPublish('tick')
  tick(@Payload() _tick: TickDto): void {}
}
