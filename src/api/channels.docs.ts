// OpenAPI of channels and members. Loaded with the pages of /docs only.

import { ApiOperation, ApiTags } from '@nestjs/swagger';
import { ChannelsController } from './channels.controller.js';
import { answers, describeRoutes, refuses } from './describe.js';
import { channelParam } from './messages.docs.js';

export function describeChannels(): void {
  ApiTags('channels')(ChannelsController);
  describeRoutes(ChannelsController, {
    list: [
      ApiOperation({ operationId: 'channels', summary: 'Channels with subscribers on any instance' }),
      answers(200, 'The channels, in no order.', 'Channels'),
      refuses(401, 403, 429),
    ],
    members: [
      ApiOperation({
        operationId: 'members',
        summary: 'Who is present in a channel',
        description: 'Each user once, however many sessions they have there, on all instances.',
      }),
      channelParam,
      answers(200, 'The members.', 'Members'),
      refuses(400, 401, 403, 404, 429, 503),
    ],
  });
}
