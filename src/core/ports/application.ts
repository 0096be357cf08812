// What core asks of the application around it: the rules of a channel, its handlers, logins and rates.

import type { ChannelPolicy } from '../policy.js';
import type { Identity } from '../identity.js';

/** Who and where, as a handler of a channel class sees it. */
export interface ChannelContext {
  readonly channel: string;
  readonly params: ReadonlyMap<string, string>;
  readonly identity: Identity;
  /** Undefined when the act comes by REST or from the application itself. */
  readonly session: string | undefined;
}

export interface PublishContext extends ChannelContext {
  readonly event: string;
  /** Raw JSON text. */
  readonly data: string;
}

/** Refusals are thrown as TrunklineError. */
export interface ChannelHandlers {
  /** Undefined when the class has no such handler, so that nothing is awaited for it. */
  readonly onSubscribe: ((context: ChannelContext) => Promise<void>) | undefined;
  readonly onUnsubscribe: ((context: ChannelContext) => Promise<void>) | undefined;
  /** The handler of one event: resolves to replacing payload text, or undefined to let it pass. */
  onPublish(event: string): ((context: PublishContext) => Promise<string | undefined>) | undefined;
}

export interface ResolvedChannel {
  readonly channel: string;
  readonly params: ReadonlyMap<string, string>;
  readonly policy: ChannelPolicy;
  readonly handlers: ChannelHandlers | undefined;
}

export interface ChannelRouter {
  /** Undefined: nothing matches, the channel is refused. */
  resolve(channel: string): ResolvedChannel | undefined;
}

export interface Authenticator {
  /** Rejects with `unauthenticated` or `expired`. */
  authenticate(token: string): Promise<Identity>;
}

/** Tokens that were good and are not any more. Asked with each login, so it must not wait for anything. */
export interface RevocationCheck {
  refuses(identity: Identity): boolean;
}

/** A bucket of one session. */
export interface RateGate {
  /** 0 when the frame of so many bytes may pass, otherwise milliseconds until one may. */
  take(nowMs: number, bytes: number): number;
}

/** Hooks of the application at the start and end of sessions. */
export interface SessionHooks {
  onConnect(session: { readonly id: string; readonly identity: Identity }): Promise<readonly string[]>;
}

export interface CoreLogger {
  debug(message: string, fields?: Readonly<Record<string, unknown>>): void;
  warn(message: string, fields?: Readonly<Record<string, unknown>>): void;
  error(message: string, fields?: Readonly<Record<string, unknown>>): void;
}

export const SILENT_LOGGER: CoreLogger = { debug: () => {}, warn: () => {}, error: () => {} };
