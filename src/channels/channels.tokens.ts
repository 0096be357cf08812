// Injection tokens of the channels room.

export const CHANNEL_RULES = Symbol('CHANNEL_RULES');
