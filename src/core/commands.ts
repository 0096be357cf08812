// What each command of a client does. One table; the session gives order and answers, this gives results.

import { CLOSE } from '../protocol/codes.js';
import type { Command, PublishCommand } from '../protocol/frames.js';
import { TrunklineError } from './errors.js';
import type { Hub } from './hub.js';
import type { Identity } from './identity.js';
import type { Authenticator, CoreLogger } from './ports/application.js';
import type { CoreLimits } from './ports/limits.js';
import type { Clock } from './ports/time.js';
import type { Publisher } from './publisher.js';
import type { Reader } from './reader.js';
import type { Commands, Outcome, Session } from './session.js';
import type { Subscriber } from './subscriber.js';

export interface CommandContext {
  readonly authenticator: Authenticator;
  readonly subscriber: Subscriber;
  readonly publisher: Publisher;
  readonly reader: Reader;
  readonly hub: Hub;
  readonly clock: Clock;
  readonly logger: CoreLogger;
  readonly limits: CoreLimits;
  /** 0: no limit. */
  readonly maxSessionsPerUser: number;
}

export class CommandRunner implements Commands {
  constructor(private readonly context: CommandContext) {}

  async run(session: Session, command: Command): Promise<Outcome> {
    const { subscriber, reader, clock } = this.context;
    switch (command.type) {
      case 'publish':
        return this.publish(session, command);
      case 'subscribe': {
        const { result, activate } = await subscriber.subscribe(session, command);
        return { result: { type: 'subscribe', result }, after: activate };
      }
      case 'unsubscribe':
        subscriber.unsubscribe(session, command.channel);
        return { result: { type: 'unsubscribe', channel: command.channel } };
      case 'history':
        return {
          result: {
            type: 'history',
            result: await reader.history({ identity: session.identity, session }, command),
          },
        };
      case 'presence': {
        const members = await reader.members({ identity: session.identity, session }, command.channel);
        return { result: { type: 'presence', channel: command.channel, members } };
      }
      case 'ping':
        return { result: { type: 'ping', time: clock.now() } };
      case 'authenticate':
        return this.authenticate(session, command.token);
      case 'custom':
        return this.custom(session, command.event, command.data);
    }
  }

  report(session: Session, error: TrunklineError): void {
    const cause =
      error.cause instanceof Error ? (error.cause.stack ?? error.cause.message) : String(error.cause);
    this.context.logger.error('A command failed.', { session: session.id, cause });
  }

  private async publish(session: Session, command: PublishCommand): Promise<Outcome> {
    const { publisher } = this.context;
    const { channel, event, data, key, idempotencyKey, echo } = command;
    const prepared = await publisher.prepare({
      channel,
      event,
      data,
      key,
      idempotencyKey,
      except: echo ? undefined : session.id,
      identity: session.identity,
      session: session.id,
    });
    return { later: publisher.append(prepared).then((result) => ({ type: 'publish', result })) };
  }

  private async authenticate(session: Session, token: string): Promise<Outcome> {
    const identity = await this.verify(session, token);
    if (identity.user === undefined)
      throw new TrunklineError('forbidden', 'Only users authenticate by frame.');
    if (
      session.identity.kind === 'backend' ||
      (session.user !== undefined && session.user !== identity.user)
    ) {
      throw new TrunklineError('forbidden', 'A session cannot change its user.');
    }
    const { hub, maxSessionsPerUser, limits } = this.context;
    if (
      session.user === undefined &&
      maxSessionsPerUser > 0 &&
      hub.countOfUser(identity.user) >= maxSessionsPerUser &&
      limits.ledger.refuses('sessions_per_user', identity.user)
    ) {
      session.close(CLOSE.tooMany);
      throw new TrunklineError('limit_exceeded', 'This user has too many sessions.');
    }
    session.become(identity);
    return { result: { type: 'authenticate', user: identity.user, expiresAt: identity.expiresAt ?? 0 } };
  }

  /** A stranger with a bad token is closed; a live session keeps its old token and is told. */
  private async verify(session: Session, token: string): Promise<Identity> {
    const { authenticator, limits } = this.context;
    try {
      return await limits.logins.watch(session.link.address, () => authenticator.authenticate(token));
    } catch (error) {
      const refused =
        error instanceof TrunklineError && (error.code === 'unauthenticated' || error.code === 'expired');
      if (refused && session.identity.kind === 'anonymous') session.close(CLOSE.invalidToken);
      throw error;
    }
  }

  private async custom(session: Session, event: string, data: string): Promise<Outcome> {
    const handled = session.link.custom(event, data);
    if (handled === undefined) throw new TrunklineError('unknown_event', 'There is no such event.');
    return { result: { type: 'custom', data: await handled } };
  }
}
