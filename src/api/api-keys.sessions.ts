// Ends the sessions of this instance by API keys that were taken away or changed. Knows no file and no transport.

import { Inject, Injectable, type OnModuleInit } from '@nestjs/common';
import { ApiKeys } from '../auth/api-keys.js';
import { RealtimeService } from '../core/realtime.service.js';
import { CLOSE } from '../protocol/codes.js';

@Injectable()
export class ApiKeySessions implements OnModuleInit {
  constructor(
    @Inject(ApiKeys) private readonly keys: ApiKeys,
    @Inject(RealtimeService) private readonly realtime: RealtimeService,
  ) {}

  /** Who has other rights now, or another text, may come back with them at once. */
  onModuleInit(): void {
    this.keys.onChange = (changes) => {
      for (const { name, gone } of changes) this.realtime.endKey(name, gone ? CLOSE.revoked : CLOSE.expired);
    };
  }
}
