// The WebSocket transport as a Nest module.

import { Module, type DynamicModule } from '@nestjs/common';
import { Authentication } from '../../auth/authentication.js';
import { OriginPolicy } from '../../auth/origin.js';
import { Core } from '../../core/core.js';
import { Addresses } from '../../limits/address.js';
import { ConnectLimit } from '../../limits/connect-limit.js';
import { Strangers } from '../../limits/strangers.js';
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
          inject: [Authentication, OriginPolicy, Addresses, ConnectLimit, Strangers, Core],
          useFactory: (
            ...[authentication, origins, addresses, connects, strangers, core]: [
              Authentication,
              OriginPolicy,
              Addresses,
              ConnectLimit,
              Strangers,
              Core,
            ]
          ) => {
            const { admission } = core;
            return new Handshake({ authentication, origins, addresses, connects, strangers, admission });
          },
        },
        TrunklineGateway,
      ],
      exports: [WS_OPTIONS, Handshake],
    };
  }
}
