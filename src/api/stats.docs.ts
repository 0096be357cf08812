// OpenAPI of the figures. Loaded with the pages of /docs only.

import { ApiOperation, ApiTags } from '@nestjs/swagger';
import { answers, describeRoutes, refuses } from './describe.js';
import { StatsController } from './stats.controller.js';

export function describeStats(): void {
  ApiTags('stats')(StatsController);
  describeRoutes(StatsController, {
    show: [
      ApiOperation({
        operationId: 'stats',
        summary: 'Figures of all instances together',
        description:
          'Counters run from the start of each. A user or a channel on two instances counts twice.',
      }),
      answers(200, 'The figures.', 'Stats'),
      refuses(401, 403, 429),
    ],
  });
}
