// The channels room as a Nest module: fills the ports CHANNEL_ROUTER and SESSION_HOOKS of core from what the application declares.

import { Module, type DynamicModule } from '@nestjs/common';
import { DiscoveryModule } from '@nestjs/core';
import { CHANNEL_ROUTER, SESSION_HOOKS } from '../core/tokens.js';
import { ChannelExplorer } from './channel.explorer.js';
import { PatternRouter } from './channel.router.js';
import { CHANNEL_RULES } from './channels.tokens.js';
import { ConnectHooks } from './connect-hooks.js';
import { HandlerFactory } from './handler.factory.js';
import type { ChannelRule } from './rules-file.js';

export interface ChannelsModuleSettings {
  /** As `readRulesFile` gives them; none when left out. */
  readonly rules?: readonly ChannelRule[] | undefined;
}

@Module({})
export class ChannelsModule {
  static forRoot({ rules = [] }: ChannelsModuleSettings = {}): DynamicModule {
    return {
      module: ChannelsModule,
      imports: [DiscoveryModule],
      providers: [
        HandlerFactory,
        ChannelExplorer,
        { provide: CHANNEL_RULES, useValue: rules },
        { provide: CHANNEL_ROUTER, useClass: PatternRouter },
        { provide: SESSION_HOOKS, useClass: ConnectHooks },
      ],
      exports: [CHANNEL_ROUTER, SESSION_HOOKS],
    };
  }
}
