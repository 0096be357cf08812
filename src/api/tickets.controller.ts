// One-time connect tickets, for clients that can set no header. What a ticket is and how long it is good is a matter of auth.

import { Controller, HttpCode, Inject, Logger, Post, UseGuards, UseInterceptors } from '@nestjs/common';
import { AuthGuard } from '../auth/auth.guard.js';
import { Caller } from '../auth/identity.decorators.js';
import { Tickets, type Ticket } from '../auth/tickets.js';
import { invalidData, TrunklineError } from '../core/errors.js';
import { hasScope, type Identity } from '../core/identity.js';
import { RateLimitInterceptor } from '../limits/rate-limit.interceptor.js';
import { OptionalJsonBody, type Json } from './json-body.js';
import { KnownCallerGuard } from './known-caller.guard.js';
import { TICKET_TTL, TicketDto } from './tickets.dto.js';

@Controller('api/tickets')
@UseGuards(AuthGuard, KnownCallerGuard)
@UseInterceptors(RateLimitInterceptor)
export class TicketsController {
  private readonly logger = new Logger('Tickets');

  constructor(@Inject(Tickets) private readonly tickets: Tickets) {}

  @Post()
  @HttpCode(201)
  async create(
    @OptionalJsonBody(TicketDto) { dto }: Json<TicketDto>,
    @Caller() caller: Identity,
  ): Promise<{ readonly ticket: string; readonly expiresAt: number; readonly user?: string }> {
    const issued = await (caller.kind === 'backend' ? this.vouched(caller, dto) : this.own(caller, dto));
    const user = caller.user ?? dto.user;
    return user === undefined ? issued : { ...issued, user };
  }

  /** Without a user it is for the backend itself, with the rights of its key. */
  private vouched(caller: Identity, { user, name, channels, ttl = TICKET_TTL }: TicketDto): Promise<Ticket> {
    if (!hasScope(caller, 'tickets'))
      throw new TrunklineError('forbidden', 'This API key has no right to this call.');
    if (user === undefined && (name !== undefined || channels !== undefined))
      throw invalidData('user', 'must stand beside "name" and "channels"');
    this.logger.log('An API key asked for a ticket.', { key: caller.key?.name, user });
    return user === undefined
      ? this.tickets.issue(caller)
      : this.tickets.issueFor({ user, name, channels, ttl }, caller);
  }

  private async own(caller: Identity, { user, name, channels, ttl }: TicketDto): Promise<Ticket> {
    if (user !== undefined && user !== caller.user)
      throw new TrunklineError('forbidden', 'You may ask for your own ticket only.');
    if (name !== undefined || channels !== undefined || ttl !== undefined)
      throw new TrunklineError('forbidden', 'What a ticket of yours may do is told by your token.');
    return this.tickets.issue(caller);
  }
}
