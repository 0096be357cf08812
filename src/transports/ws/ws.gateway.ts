// The gateway of `/ws`: opens a session for each connection, feeds it what arrives, and ends all with 1001 when the module goes.

import { Inject, Injectable, type OnModuleDestroy } from '@nestjs/common';
import { WebSocketGateway, type OnGatewayConnection } from '@nestjs/websockets';
import type { RawData, WebSocket } from 'ws';
import { Core } from '../../core/core.js';
import { ANONYMOUS } from '../../core/identity.js';
import type { Cancel, Clock } from '../../core/ports/time.js';
import { CLOCK } from '../../core/tokens.js';
import { CLOSE } from '../../protocol/codes.js';
import { errorBody } from '../../protocol/decode.js';
import { Heartbeat } from '../../core/heartbeat.js';
import { WS_JSON } from './ws.format.js';
import type { WsOptions } from './ws.options.js';
import { TrunklineSocket } from './ws.socket.js';
import { WS_OPTIONS, WS_PATH } from './ws.tokens.js';

/** A message must be whole within two looks. Milliseconds. */
const UNFINISHED_LOOK_MS = 10_000;

const BINARY = errorBody('invalid_frame', 'Binary frames are not spoken here; send JSON as text.');

@Injectable()
@WebSocketGateway({ path: WS_PATH })
export class TrunklineGateway implements OnGatewayConnection<TrunklineSocket>, OnModuleDestroy {
  private readonly open = new Set<TrunklineSocket>();
  private readonly heartbeat: Heartbeat<TrunklineSocket>;
  private stopWatch: Cancel = () => {};

  constructor(
    @Inject(Core) private readonly core: Core,
    @Inject(WS_OPTIONS) private readonly options: WsOptions,
    @Inject(CLOCK) private readonly clock: Clock,
  ) {
    this.heartbeat = new Heartbeat(clock, options.heartbeatMs);
    this.watchUnfinished();
  }

  handleConnection(client: TrunklineSocket): void {
    this.open.add(client);
    client.gateway = this;
    client.on('message', onMessage);
    client.on('pong', onPong);
    client.on('close', onClose);
    this.heartbeat.add(client);
    client.session = this.core.openSession({
      identity: client.identity ?? ANONYMOUS,
      format: WS_JSON,
      link: client,
    });
  }

  /** A connection is gone; safe to call twice. */
  forget(client: TrunklineSocket, code: number): void {
    this.open.delete(client);
    this.heartbeat.remove(client);
    client.session?.closed(code);
  }

  private watchUnfinished(): void {
    this.stopWatch = this.clock.after(UNFINISHED_LOOK_MS, () => {
      for (const client of this.open) {
        const { midMessage, messages, unfinishedSince } = client;
        if (midMessage && unfinishedSince === messages) client.session?.close(CLOSE.policyViolation);
        client.unfinishedSince = midMessage ? messages : -1;
      }
      this.watchUnfinished();
    });
  }

  /** Tells everyone 1001 and waits for their close frames, but not longer than the close time-out. */
  async onModuleDestroy(): Promise<void> {
    this.core.draining = true;
    this.heartbeat.stop();
    this.stopWatch();
    const closed = [...this.open].map(
      (client) =>
        new Promise<void>((resolve) => {
          client.once('close', () => resolve());
          client.session?.close(CLOSE.goingAway);
        }),
    );
    const limit = new Promise<void>((resolve) => setTimeout(resolve, this.options.closeTimeoutMs).unref());
    await Promise.race([Promise.all(closed), limit]);
    for (const client of this.open) client.terminate();
  }
}

/** Shared listeners: `this` is the socket, so that no connection needs a closure. */
function onMessage(this: WebSocket, data: RawData, isBinary: boolean): void {
  const client = this as TrunklineSocket;
  client.messages++;
  const { session } = client;
  const bytes = (data as Buffer).length;
  // Only a dry run comes here with more than a stranger may send; it counts.
  client.stranger?.isTooMuch(bytes);
  if (isBinary) session?.receiveMalformed(BINARY, bytes);
  else session?.receive((data as Buffer).toString('utf8'), bytes);
}

function onPong(this: WebSocket): void {
  (this as TrunklineSocket).alive = true;
}

function onClose(this: WebSocket, code: number): void {
  const client = this as TrunklineSocket;
  client.gateway?.forget(client, code);
}
