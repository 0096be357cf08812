// The hooks: all that an application may import from `trunkline-client/react`.

export { TrunklineProvider, useTrunkline, type TrunklineProviderProps } from './provider.js';
export { useChannel, type ChannelHook, type UseChannelOptions } from './use-channel.js';
export { useConnection, type ConnectionView } from './use-connection.js';
export { usePresence } from './use-presence.js';
export type { ChannelStatus } from './channel-store.js';
