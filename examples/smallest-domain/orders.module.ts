// The domain as a Nest module: this is all a team hands in.

import { Module } from '@nestjs/common';
import { OrderChannel } from './order.channel.js';
import { OrdersService } from './orders.service.js';

@Module({ providers: [OrderChannel, OrdersService], exports: [OrdersService] })
export class OrdersModule {}
