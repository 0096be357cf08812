// A way to Redis that breaks once the reply to a chosen command has come: the command is done, and nobody hears of it. Knows bytes only.

import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';

/** What becomes of the reply. */
export interface Cut {
  /** The command whose bytes hold this text. */
  readonly text: string;
  /** Bytes of the reply that still pass. */
  readonly bytes: number;
  /** Reset instead of an ordinary end. */
  readonly reset: boolean;
}

export class ReplyCutter {
  cuts = 0;
  private armed: Cut | undefined;
  private readonly sockets = new Set<Socket>();

  private constructor(
    private readonly server: Server,
    private readonly target: number,
  ) {
    server.on('connection', (client) => this.take(client));
  }

  static async start(target: number): Promise<ReplyCutter> {
    const server = createServer();
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    return new ReplyCutter(server, target);
  }

  get url(): string {
    return `redis://127.0.0.1:${(this.server.address() as AddressInfo).port}`;
  }

  arm(cut: Cut | undefined): void {
    this.armed = cut;
  }

  async close(): Promise<void> {
    for (const socket of this.sockets) socket.destroy();
    await new Promise((resolve) => this.server.close(resolve));
  }

  private take(client: Socket): void {
    const upstream = connect(this.target, '127.0.0.1');
    let cut: Cut | undefined;
    for (const [socket, other] of [
      [client, upstream],
      [upstream, client],
    ] as const) {
      this.sockets.add(socket);
      socket.setNoDelay(true);
      // An error is followed by `close`.
      socket.on('error', () => {});
      socket.once('close', () => {
        this.sockets.delete(socket);
        other.destroy();
      });
    }
    client.on('data', (chunk) => {
      if (this.armed !== undefined && chunk.includes(this.armed.text)) {
        cut = this.armed;
        this.armed = undefined;
      }
      upstream.write(chunk);
    });
    upstream.on('data', (chunk) => {
      if (cut === undefined) return void client.write(chunk);
      this.cuts++;
      const { bytes, reset } = cut;
      // What comes after it is lost, too.
      cut = { text: '', bytes: 0, reset };
      client.write(chunk.subarray(0, bytes), () => (reset ? client.resetAndDestroy() : client.destroy()));
    });
  }
}
