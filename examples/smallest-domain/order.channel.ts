// One channel for each order: its customer and the staff may listen, the staff may write notes, the backend tells what happens.

import { UseGuards } from '@nestjs/common';
import {
  Channel,
  ChannelParam,
  OnPublish,
  OnSubscribe,
  Payload,
  Who,
  type Identity,
} from '../../src/index.js';
import { NoteDto } from './note.dto.js';
import { OrdersService } from './orders.service.js';
import { StaffGuard } from './staff.guard.js';

@Channel('orders:{orderId}', { events: ['note', 'shipped'], history: { size: 100, ttl: '1h' } })
export class OrderChannel {
  constructor(private readonly orders: OrdersService) {}

  @OnSubscribe()
  join(@Who() who: Identity, @ChannelParam('orderId') orderId: string): boolean {
    return who.claims['staff'] === true || this.orders.belongsTo(orderId, who.user);
  }

  @OnPublish('note')
  @UseGuards(StaffGuard)
  note(@Payload() note: NoteDto, @Who() who: Identity): object {
    return { ...note, author: who.name };
  }

  @OnPublish('shipped')
  shipped(@Who() who: Identity): boolean {
    return who.kind === 'backend';
  }
}
