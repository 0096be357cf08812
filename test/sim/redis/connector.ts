// The connections of one instance to the fake Redis, which end together when the instance is gone. Knows no command.

import type { ClientDefaults, ConnectionRole } from '../../../src/backplanes/redis/redis.connection.js';
import type { RedisClient } from '../../../src/backplanes/redis/redis.scripts.js';
import type { Clock } from '../../../src/core/ports/time.js';
import { FakeRedisClient } from './client.js';
import type { Connector, Network } from './port.js';
import type { ServerEnd } from './socket.js';

export interface ClientGroupParts {
  readonly node: string;
  readonly network: Network;
  readonly server: ServerEnd;
  readonly clock: Clock;
}

export class ClientGroup implements Connector {
  private readonly clients: FakeRedisClient[] = [];

  constructor(private readonly parts: ClientGroupParts) {}

  readonly connect = (role: ConnectionRole, defaults: ClientDefaults): RedisClient => {
    const { node, ...parts } = this.parts;
    const client = new FakeRedisClient({ ...parts, defaults, caller: { node, role } });
    this.clients.push(client);
    // It has of the library what the backplane calls, which a test with the whole backplane proves.
    return client as unknown as RedisClient;
  };

  vanish(silent: boolean): void {
    for (const client of this.clients) client.vanish(silent);
  }
}
