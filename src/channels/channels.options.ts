// Options of the channels room. Types, defaults and meaning; names of variables live in config.

import { z } from 'zod';

export const channelsOptions = z.object({
  /** Path of the JSON file with channel rules. Left out: only channel classes make channels. */
  rulesFile: z.string().min(1).optional(),
});

export type ChannelsOptions = z.infer<typeof channelsOptions>;
