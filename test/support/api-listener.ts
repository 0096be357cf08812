// A subscribed WebSocket session beside the REST calls of a test: its id, its messages in order, its end.

import { WebSocket } from 'ws';

export interface Listener {
  readonly session: string;
  /** The text of the next `message` push. */
  next(): Promise<string>;
  /** The code and reason of the end. */
  readonly closed: Promise<{ readonly code: number; readonly reason: string }>;
  close(): void;
}

export async function listen(wsUrl: string, token: string, channel: string): Promise<Listener> {
  const socket = new WebSocket(wsUrl, ['trunkline.v1', `bearer.${token}`]);
  const frames: string[] = [];
  let wake = (): void => {};
  socket.on('message', (data: Buffer) => {
    frames.push(data.toString());
    wake();
  });
  const closed = new Promise<{ code: number; reason: string }>((resolve, reject) => {
    socket.once('error', reject);
    socket.once('close', (code, reason) => resolve({ code, reason: reason.toString() }));
  });
  const take = async (event: string): Promise<string> => {
    for (;;) {
      const at = frames.findIndex((text) => text.startsWith(`{"event":"${event}"`));
      if (at >= 0) return frames.splice(at, 1)[0] as string;
      await new Promise<void>((resolve) => (wake = resolve));
    }
  };
  const welcome = JSON.parse(await take('welcome')) as { data: { session: string } };
  socket.send(JSON.stringify({ event: 'subscribe', id: 1, data: { channel } }));
  await take('ok');
  return { session: welcome.data.session, next: () => take('message'), closed, close: () => socket.close() };
}
