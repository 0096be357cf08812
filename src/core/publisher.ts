// The one way in for a publication: size → policy → channel handler → log. REST, sockets and the application all come here.
// Names are checked at the doors: frames when they are decoded, everything else by the facade.

import type { PublishResult } from '../protocol/publication.js';
import { TrunklineError } from './errors.js';
import { publisherInfo, type Identity } from './identity.js';
import { authorize, type ChannelPolicy } from './policy.js';
import type { ChannelRouter, ResolvedChannel } from './ports/application.js';
import type { AppendOptions, Backplane, Draft } from './ports/backplane.js';
import type { PublishGate } from './ports/limits.js';
import type { CoreStats } from './stats.js';

export interface PublishRequest {
  readonly channel: string;
  readonly event: string;
  /** Raw JSON text. */
  readonly data: string;
  readonly key?: string | undefined;
  readonly idempotencyKey?: string | undefined;
  /** Session that shall not get its live copy. */
  readonly except?: string | undefined;
  readonly identity: Identity;
  /** The session that publishes, for handlers. */
  readonly session?: string | undefined;
}

/** Allowed, checked, and as its handler wants it. */
export interface PreparedPublish {
  readonly channel: string;
  readonly draft: Draft;
  readonly options: AppendOptions;
}

export interface PublisherContext {
  readonly backplane: Backplane;
  readonly router: ChannelRouter;
  readonly stats: CoreStats;
  readonly limits: PublishGate;
}

export class Publisher {
  constructor(private readonly context: PublisherContext) {}

  async publish(request: PublishRequest): Promise<PublishResult> {
    return this.append(await this.prepare(request));
  }

  /** Rejects with whatever refuses it; then nothing was done. Whoever prepares one after another and appends in that order keeps order. */
  async prepare(request: PublishRequest): Promise<PreparedPublish> {
    const { channel, event, identity } = request;
    const resolved = this.context.router.resolve(channel);
    if (resolved === undefined) throw new TrunklineError('unknown_channel', 'No rule matches this channel.');
    const { policy } = resolved;
    authorize(identity, 'publish', channel, policy);
    if (policy.events !== undefined && !policy.events.has(event)) {
      throw new TrunklineError('unknown_event', 'This channel takes no such event.');
    }
    checkSize(request.data, policy);
    // The application knows what it does, and a backend has a rate of its own.
    if (identity.kind !== 'backend')
      this.context.limits.check({ user: identity.user, channel, rate: policy.publishRate });
    const data = await this.handled(resolved, request);
    return {
      channel,
      draft: { event, data, from: publisherInfo(identity), key: request.key },
      options: {
        history: policy.ephemeral.has(event) ? undefined : policy.history,
        idempotencyKey: keyOf(identity, request.idempotencyKey),
        except: request.except,
      },
    };
  }

  async append({ channel, draft, options }: PreparedPublish): Promise<PublishResult> {
    const { backplane, stats } = this.context;
    const { position, duplicate } = await backplane.append(channel, draft, options);
    if (duplicate) stats.duplicatesSuppressed++;
    else stats.published++;
    return { channel, ...position, duplicate };
  }

  private async handled(resolved: ResolvedChannel, request: PublishRequest): Promise<string> {
    const { channel, event, data, identity, session } = request;
    const handler = resolved.handlers?.onPublish(event);
    if (handler === undefined) return data;
    const replaced = await handler({ channel, params: resolved.params, identity, session, event, data });
    if (replaced === undefined) return data;
    checkSize(replaced, resolved.policy);
    return replaced;
  }
}

/** Who publishes first under a key decides what it stands for: so each user has keys of his own, strangers share theirs, and so do backends. */
function keyOf({ kind, user = '' }: Identity, key: string | undefined): string | undefined {
  // Neither a user id nor a key has a line break, so no two pairs make one.
  return key === undefined || kind === 'backend' ? key : `${user}\n${key}`;
}

/** Bytes are at most three times the UTF-16 length, so most texts are not measured. */
function checkSize(data: string, { maxBytes }: ChannelPolicy): void {
  if (maxBytes === 0 || data.length * 3 <= maxBytes) return;
  const bytes = Buffer.byteLength(data);
  if (bytes > maxBytes) {
    throw new TrunklineError('too_large', `The payload has ${bytes} bytes; this channel takes ${maxBytes}.`);
  }
}
