// Events of a team's own gateways on the main endpoint: @SubscribeMessage handlers behind the session's order and answers.

import type { WsMessageHandler } from '@nestjs/common';
import { from, isObservable, lastValueFrom, toArray, type Observable } from 'rxjs';
import { TrunklineError } from '../../core/errors.js';
import { isErrorCode } from '../../protocol/codes.js';

type Transform = (data: unknown) => Observable<unknown>;

interface Client {
  send(text: string): void;
}

/** Nest's exception filter sends its frame through the client; this is how it begins. */
const EXCEPTION_FRAME = '{"event":"exception"';

/** Handlers of one connection. The session runs one frame at a time, so one captured exception belongs to one call. */
export class CustomHandlers {
  private readonly handlers = new Map<string, { handler: WsMessageHandler; transform: Transform }>();
  private running = false;
  private exception: string | undefined;

  add(handlers: readonly WsMessageHandler[], transform: Transform): void {
    for (const handler of handlers) this.handlers.set(handler.message, { handler, transform });
  }

  handle(client: Client, event: string, data: string): Promise<string> | undefined {
    const entry = this.handlers.get(event);
    return entry === undefined ? undefined : this.run(client, entry, data);
  }

  /** True when the text was an exception of the handler that runs now: it becomes the error reply. */
  capture(text: string): boolean {
    if (!this.running || !text.startsWith(EXCEPTION_FRAME)) return false;
    this.exception = text;
    return true;
  }

  /** Values `{event, data}` are sent as frames of their own, as Nest users know it; any other value is the reply's data. */
  private async run(
    client: Client,
    { handler, transform }: { handler: WsMessageHandler; transform: Transform },
    data: string,
  ): Promise<string> {
    this.running = true;
    this.exception = undefined;
    try {
      const called: unknown = await handler.callback(JSON.parse(data), handler.message);
      const values = await lastValueFrom(
        transform(isObservable(called) ? called : from([called])).pipe(toArray()),
      );
      if (this.exception !== undefined) throw refusal(this.exception);
      let reply: unknown = {};
      for (const value of values) {
        if (isEventFrame(value)) client.send(JSON.stringify({ event: value.event, data: value.data ?? {} }));
        else if (value !== undefined && value !== null) reply = value;
      }
      return JSON.stringify(reply);
    } finally {
      this.running = false;
    }
  }
}

function isEventFrame(value: unknown): value is { event: string; data?: unknown } {
  return typeof value === 'object' && value !== null && 'event' in value && typeof value.event === 'string';
}

/** Nest's default frame echoes the client's payload; only its code and sentence go on. */
function refusal(frame: string): TrunklineError {
  const { data } = JSON.parse(frame) as { data?: { code?: unknown; message?: unknown } };
  const message = typeof data?.message === 'string' ? data.message : 'The event was refused.';
  if (isErrorCode(data?.code)) return new TrunklineError(data.code, message);
  if (message === 'Forbidden resource')
    return new TrunklineError('forbidden', 'You may not send this event.');
  if (message === 'Internal server error')
    return new TrunklineError('internal', 'The server could not do this.');
  return new TrunklineError('invalid_data', message);
}
