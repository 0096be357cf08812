// The WebSocket transport as a Nest module.

import { Module, type DynamicModule } from '@nestjs/common';
import { Authentication } from '../../auth/authentication.js';
import { OriginPolicy } from '../../auth/origin.js';
import { Core } from '../../core/core.js';
import type { Clock } from '../../core/ports/time.js';
import { CLOCK } from '../../core/tokens.js';
import { LimitTables } from '../../limits/limit-tables.js';
import { Handshake } from './handshake.js';
import { TrunklineGateway } from './ws.gateway.js';
import type { WsOptions } from './ws.options.js';
import { WS_OPTIONS } from './ws.tokens.js';

@Module({})
export class WsModule {
  static forRoot(options: WsOptions): DynamicModule {
    return {
      module: WsModule,
      providers: [
        { provide: WS_OPTIONS, useValue: options },
        {
          provide: Handshake,
          inject: [Authentication, OriginPolicy, LimitTables, Core, CLOCK],
          useFactory: (
            ...[authentication, origins, tables, core, clock]: [
              Authentication,
              OriginPolicy,
              LimitTables,
              Core,
              Clock,
            ]
          ) => new Handshake({ authentication, origins, tables, admission: core.admission, clock }),
        },
        TrunklineGateway,
      ],
      exports: [WS_OPTIONS, Handshake],
    };
  }
}
