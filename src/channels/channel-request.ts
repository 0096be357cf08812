// What a handler of a channel class is asked: the first argument of its execution context, for guards, pipes and interceptors.

import type { Identity } from '../core/identity.js';
import type { ChannelContext, PublishContext } from '../core/ports/application.js';

/** `context.getType()` in guards, interceptors and filters that run for channel handlers. */
export const TRUNKLINE_CONTEXT = 'trunkline';

export type ChannelAct = 'connect' | 'subscribe' | 'publish' | 'unsubscribe';

const NO_PARAMS: ReadonlyMap<string, string> = new Map();

export class ChannelRequest implements PublishContext {
  readonly identity: Identity;
  /** '' for `connect`, which is not about a channel. */
  readonly channel: string;
  readonly params: ReadonlyMap<string, string>;
  /** Undefined when the act comes by REST or from the application itself. */
  readonly session: string | undefined;
  /** '' unless `publish`. */
  readonly event: string;
  /** Raw JSON text; '' unless `publish`. */
  readonly data: string;
  private parsed: unknown;
  private isParsed = false;

  private constructor(
    readonly act: ChannelAct,
    { identity, session, ...rest }: Pick<PublishContext, 'identity' | 'session'> & Partial<PublishContext>,
  ) {
    this.identity = identity;
    this.session = session;
    this.channel = rest.channel ?? '';
    this.params = rest.params ?? NO_PARAMS;
    this.event = rest.event ?? '';
    this.data = rest.data ?? '';
  }

  static publish(context: PublishContext): ChannelRequest {
    return new ChannelRequest('publish', context);
  }

  static of(act: 'subscribe' | 'unsubscribe', context: ChannelContext): ChannelRequest {
    return new ChannelRequest(act, context);
  }

  static connect(session: { readonly id: string; readonly identity: Identity }): ChannelRequest {
    return new ChannelRequest('connect', { identity: session.identity, session: session.id });
  }

  /** The payload if somebody asked for it. */
  get payloadSoFar(): unknown {
    return this.parsed;
  }

  /** The parsed payload; undefined unless `publish`. Parsed once, when first asked for. */
  get payload(): unknown {
    if (!this.isParsed) {
      this.isParsed = true;
      this.parsed = this.data === '' ? undefined : JSON.parse(this.data);
    }
    return this.parsed;
  }
}
