// Who acts: a stranger, a user with claims, or the backend. Made by auth, read by policy; holds no token.

import { parseChannelPattern, type ChannelPattern } from '../protocol/channel-pattern.js';
import type { PublisherInfo } from '../protocol/publication.js';

export type Capability = 'subscribe' | 'publish' | 'history' | 'presence';

export const CAPABILITIES: readonly Capability[] = ['subscribe', 'publish', 'history', 'presence'];

export interface CapabilityGrant {
  readonly pattern: ChannelPattern;
  readonly allows: ReadonlySet<Capability>;
}

/** What an API key may be allowed: acts in channels, and acts on users and figures. */
export type Scope = 'publish' | 'read' | 'presence' | 'disconnect' | 'revoke' | 'tickets' | 'stats';

export const SCOPES: readonly Scope[] = [
  'publish',
  'read',
  'presence',
  'disconnect',
  'revoke',
  'tickets',
  'stats',
];

/** The API key an identity goes back to, without its text. */
export interface KeyRights {
  /** For logs and metrics. */
  readonly name: string;
  readonly scopes: ReadonlySet<Scope>;
  /** Channels it may act in; undefined: all. */
  readonly channels: readonly ChannelPattern[] | undefined;
}

export interface Identity {
  readonly kind: 'anonymous' | 'user' | 'backend';
  /** Set for users only. */
  readonly user: string | undefined;
  readonly name: string | undefined;
  /** Milliseconds since 1970 at which the credential ends; undefined when it does not. */
  readonly expiresAt: number | undefined;
  /** Milliseconds since 1970 at which the credential was issued; undefined when it does not say. */
  readonly issuedAt: number | undefined;
  /** The `jti` of the token; undefined when it has none. */
  readonly tokenId: string | undefined;
  readonly grants: readonly CapabilityGrant[];
  /** Channels the server joins the session to at connect. */
  readonly join: readonly string[];
  /** All verified claims, for channel classes and guards. */
  readonly claims: Readonly<Record<string, unknown>>;
  /** Of a backend: its key. Of a user: the key whose ticket let him in. Absent: no key bounds it. */
  readonly key?: KeyRights;
}

const NOTHING = {
  expiresAt: undefined,
  issuedAt: undefined,
  tokenId: undefined,
  grants: [],
  join: [],
  claims: {},
} as const;

export const ANONYMOUS: Identity = { kind: 'anonymous', user: undefined, name: undefined, ...NOTHING };
export const BACKEND: Identity = { kind: 'backend', user: undefined, name: undefined, ...NOTHING };

export function grant(pattern: string, allows: readonly Capability[]): CapabilityGrant {
  return { pattern: parseChannelPattern(pattern), allows: new Set(allows) };
}

export function hasCapability(identity: Identity, capability: Capability, channel: string): boolean {
  return identity.grants.some(
    (entry) => entry.allows.has(capability) && entry.pattern.match(channel) !== undefined,
  );
}

/** A backend without a key is the application itself, which may do everything. */
export function hasScope({ kind, key }: Identity, scope: Scope): boolean {
  return kind === 'backend' && (key === undefined || key.scopes.has(scope));
}

/** Whether the key behind an identity allows an act in a channel. A user who came by its ticket is held to its channels alone. */
export function keyAllows({ kind, key }: Identity, scope: Scope, channel: string): boolean {
  if (key === undefined) return true;
  if (kind === 'backend' && !key.scopes.has(scope)) return false;
  return key.channels?.some((pattern) => pattern.match(channel) !== undefined) ?? true;
}

export function publisherInfo(identity: Identity): PublisherInfo | undefined {
  return identity.user === undefined ? undefined : { user: identity.user, name: identity.name };
}
