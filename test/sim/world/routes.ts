// The paths of the server and what answers them: the shipped controllers, with refusals as the shipped filter words them.

import type { Request, Response } from 'express';
import { ChannelsController } from '../../../src/api/channels.controller.js';
import { MessagesController } from '../../../src/api/messages.controller.js';
import { toProblem } from '../../../src/api/problem.js';
import { TrunklineError } from '../../../src/core/errors.js';
import type { Identity } from '../../../src/core/identity.js';
import type { RealtimeService } from '../../../src/core/realtime.service.js';
import type { PollingController } from '../../../src/transports/polling/polling.controller.js';
import type { SseController } from '../../../src/transports/sse/sse.controller.js';
import type { SimRequest, SimResponse } from './http.js';

/** What of an instance answers requests. */
export interface Answering {
  readonly realtime: RealtimeService;
  readonly sse: SseController;
  readonly polling: PollingController;
  readonly authenticate: (token: string) => Promise<Identity>;
  /** Something went wrong that never should. */
  readonly fault: (text: string) => void;
}

const BEARER = 'Bearer ';
const MESSAGES = /^api\/channels\/([^/]+)\/messages$/;
const MEMBERS = /^api\/channels\/([^/]+)\/members$/;
const CREATED = 201;

export async function answer(life: Answering, request: SimRequest, response: SimResponse): Promise<void> {
  try {
    const identity = await identify(life, request);
    await dispatch(life, request, { response, identity });
  } catch (thrown) {
    const problem = toProblem(thrown);
    if (problem.code === 'internal') life.fault(`${request.path} failed: ${String(causeOf(thrown))}`);
    if (response.destroyed || response.headersSent) return;
    response.status(problem.status).setHeader('content-type', 'application/problem+json');
    response.end(JSON.stringify(problem));
  }
}

function causeOf(thrown: unknown): unknown {
  const { cause } = thrown as { cause?: unknown };
  return cause instanceof Error ? (cause.stack ?? cause) : thrown;
}

async function identify(life: Answering, { headers }: SimRequest): Promise<Identity> {
  const text = headers['authorization'];
  if (text?.startsWith(BEARER) !== true) throw new TrunklineError('unauthenticated', 'Authenticate first.');
  return life.authenticate(text.slice(BEARER.length));
}

async function dispatch(
  life: Answering,
  request: SimRequest,
  { response, identity }: { response: SimResponse; identity: Identity },
): Promise<void> {
  const { path, query, method } = request;
  const express = response as unknown as Response;
  const asked = { ...request, socket: response.socket } as unknown as Request;
  if (path === 'sse') return life.sse.open(asked, express, query, identity);
  if (path === 'poll') return life.polling.poll(asked, express, query, identity);
  const channel = decodeURIComponent((MESSAGES.exec(path) ?? MEMBERS.exec(path))?.[1] ?? '');
  if (MEMBERS.test(path)) {
    const members = await new ChannelsController(life.realtime).members(channel, identity);
    response.end(JSON.stringify(members));
    return;
  }
  const messages = new MessagesController(life.realtime);
  if (method === 'POST') {
    const { data, ...dto } = JSON.parse(request.body) as { event: string; data: unknown };
    const key = request.headers['idempotency-key'];
    const text = await messages.publish(
      channel,
      { dto, data: JSON.stringify(data), text: request.body },
      key,
      identity,
    );
    response.status(CREATED).end(text);
  } else response.end(await messages.history(channel, query, identity));
}
