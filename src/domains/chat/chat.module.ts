// The chat domain as a Nest module.

import { Module } from '@nestjs/common';
import { ChatChannel } from './chat.channel.js';

@Module({ providers: [ChatChannel] })
export class ChatModule {}
