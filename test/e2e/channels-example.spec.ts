// The smallest domain of examples/ on a real server: what a team hands in as one module works for clients of that server.

import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { OrdersModule } from '../../examples/smallest-domain/orders.module.js';
import { OrdersService } from '../../examples/smallest-domain/orders.service.js';
import { openSession, type RawSocket } from '../support/raw-socket.js';
import { startServer, type TestServer } from '../support/server.js';

let server: TestServer;
let orders: OrdersService;
beforeAll(async () => {
  server = await startServer({ TRUNKLINE_MESSAGE_RATE: '0' }, { modules: [OrdersModule] });
  orders = server.app.get(OrdersService);
});
afterAll(async () => server.close());

async function login(user: string, claims: Record<string, unknown> = {}): Promise<RawSocket> {
  const socket = await openSession(server.port, { token: server.token(user, claims) });
  onTestFinished(() => socket.dispose());
  return socket;
}

describe('a domain of another team', () => {
  it('lets in whom its handler lets in, by the order in the name', async () => {
    orders.place('1', 'ana');
    const [ana, ben, staff] = [await login('ana'), await login('ben'), await login('sam', { staff: true })];
    expect((await ana.request('subscribe', { channel: 'orders:1' })).event).toBe('ok');
    expect((await staff.request('subscribe', { channel: 'orders:1' })).event).toBe('ok');
    expect((await ben.request('subscribe', { channel: 'orders:1' })).data['code']).toBe('forbidden');
    expect((await ana.request('subscribe', { channel: 'orders:2' })).data['code']).toBe('forbidden');
    expect((await ben.request('history', { channel: 'orders:1' })).data['code']).toBe('forbidden');
  });

  it('publishes from its own service', async () => {
    orders.place('3', 'ana');
    const ana = await login('ana');
    await ana.request('subscribe', { channel: 'orders:3' });
    const { offset } = await orders.ship('3');
    const { data } = await ana.push('message');
    expect(data).toMatchObject({ channel: 'orders:3', event: 'shipped', data: { orderId: '3' }, offset });
    expect(data['from']).toBeUndefined();
  });

  it('guards, validates and completes what its clients publish', async () => {
    orders.place('4', 'ana');
    const [ana, staff] = [await login('ana'), await login('sam', { staff: true, name: 'Sam' })];
    await ana.request('subscribe', { channel: 'orders:4' });
    const note = (socket: RawSocket, data: unknown, event = 'note') =>
      socket.request('publish', { channel: 'orders:4', event, data });
    expect((await note(ana, { text: 'x' })).data['code']).toBe('forbidden');
    expect((await note(staff, { orderId: '4' }, 'shipped')).data['code']).toBe('forbidden');
    const refused = await note(staff, { text: '' });
    expect([refused.data['code'], refused.data['details']]).toEqual([
      'invalid_data',
      [{ path: 'text', message: 'must be longer than or equal to 1 characters' }],
    ]);
    expect((await note(staff, { text: 'On its way.', internal: true })).event).toBe('ok');
    expect((await ana.push('message')).data['data']).toEqual({ text: 'On its way.', author: 'Sam' });
  });
});
