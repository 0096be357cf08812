// The orders of this team. Tells the channel of an order whenever its state changes.

import { Injectable } from '@nestjs/common';
import { RealtimeService, type PublishResult } from '../../src/index.js';

@Injectable()
export class OrdersService {
  private readonly owners = new Map<string, string>();

  constructor(private readonly realtime: RealtimeService) {}

  place(orderId: string, user: string): void {
    this.owners.set(orderId, user);
  }

  belongsTo(orderId: string, user: string | undefined): boolean {
    return user !== undefined && this.owners.get(orderId) === user;
  }

  async ship(orderId: string): Promise<PublishResult> {
    return this.realtime.publish(`orders:${orderId}`, 'shipped', { orderId });
  }
}
