// Requests and their replies by id. What may be repeated is sent again on the next session; what may not ends as `unknown_outcome`.

import { errorFrom, TrunklineError } from './errors.js';
import type { Cancel, Clock } from './time.js';
import type { ClientFrame, ServerFrame } from './transport.js';

export type Outcome =
  | { readonly ok: true; readonly data: unknown }
  /** `lost`: the session ended before the reply. */
  | { readonly ok: false; readonly error: TrunklineError; readonly lost: boolean };

export interface Ask {
  readonly event: string;
  /** JSON text. */
  readonly body: string;
  /** Survives the end of a session: asking twice does nothing that asking once would not. */
  readonly repeat: boolean;
}

interface Pending extends Ask {
  readonly settle: (outcome: Outcome) => void;
  cancelTimeout: Cancel | undefined;
}

export interface RequestsOptions {
  readonly clock: Clock;
  /** Milliseconds for a reply, counted from the sending. */
  readonly timeoutMs: number;
  /** No reply in time. True: the session was dead and has been ended. */
  onSilence(sentAt: number): boolean;
}

export class Requests {
  #nextId = 1;
  #send: ((frame: ClientFrame) => void) | undefined;
  readonly #pending = new Map<number, Pending>();
  readonly #options: RequestsOptions;

  constructor(options: RequestsOptions) {
    this.#options = options;
  }

  get size(): number {
    return this.#pending.size;
  }

  get live(): boolean {
    return this.#send !== undefined;
  }

  start(ask: Ask, settle: (outcome: Outcome) => void): void {
    const id = this.#nextId++;
    const pending: Pending = { ...ask, settle, cancelTimeout: undefined };
    this.#pending.set(id, pending);
    this.#transmit(id, pending);
  }

  up(send: (frame: ClientFrame) => void): void {
    this.#send = send;
    for (const [id, pending] of [...this.#pending])
      if (pending.cancelTimeout === undefined) this.#transmit(id, pending);
  }

  down(): void {
    this.#send = undefined;
    for (const [id, pending] of [...this.#pending]) {
      if (pending.cancelTimeout === undefined) continue;
      pending.cancelTimeout();
      pending.cancelTimeout = undefined;
      if (!pending.repeat) this.#settle(id, failed('The connection ended before the reply.', true));
    }
  }

  fail(error: TrunklineError): void {
    for (const id of [...this.#pending.keys()]) this.#settle(id, { ok: false, error, lost: false });
  }

  /** False when the frame is no reply to anything here. */
  receive({ event, id, data }: ServerFrame): boolean {
    if (typeof id !== 'number') return false;
    return this.#settle(
      id,
      event === 'ok' ? { ok: true, data } : { ok: false, error: errorFrom(data), lost: false },
    );
  }

  #transmit(id: number, pending: Pending): void {
    if (this.#send === undefined) return;
    const { clock, timeoutMs } = this.#options;
    const sentAt = clock.now();
    pending.cancelTimeout = clock.after(timeoutMs, () => {
      if (!this.#options.onSilence(sentAt))
        this.#settle(id, failed(`No reply within ${timeoutMs} ms.`, false));
    });
    this.#send({ event: pending.event, id, body: pending.body });
  }

  #settle(id: number, outcome: Outcome): boolean {
    const pending = this.#pending.get(id);
    if (pending === undefined) return false;
    this.#pending.delete(id);
    pending.cancelTimeout?.();
    pending.settle(outcome);
    return true;
  }
}

function failed(message: string, lost: boolean): Outcome {
  return { ok: false, error: new TrunklineError('unknown_outcome', message, { retry: true }), lost };
}
