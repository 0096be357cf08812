import { expect, it } from 'vitest';
import { startServer, TEST_API_KEY } from '../support/server.js';
import { ApiClient } from '../support/api-client.js';
it('smoke', async () => {
  const s = await startServer();
  const api = new ApiClient(s.url, TEST_API_KEY);
  const show = async (p: Promise<any>) => { const a = await p; console.log(a.status, Object.fromEntries(a.headers), a.text.slice(0, 400)); };
  await show(api.post('/api/channels/chat%3Alobby/messages', { event: 'message', data: { text: 'x' } }));
  await show(api.get('/api/channels/chat:lobby/messages'));
  await show(api.get('/api/stats'));
  await show(api.get('/nope'));
  await show(api.get('/api/channels/%ff/messages'));
  await show(api.post('/api/batch', '{"messages":[{"channel":"chat:a","event":"message","data":{"text":"1"}},5]}'));
  await show(api.post('/api/batch', '{"messages"'));
  await show(api.get('/docs'));
  await show(api.get('/docs/json'));
  await s.close();
  expect(1).toBe(1);
});
