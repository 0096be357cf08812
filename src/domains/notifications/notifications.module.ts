// The notifications domain as a Nest module. Other modules import it for its service.

import { Module } from '@nestjs/common';
import { NotificationsChannel } from './notifications.channel.js';
import { NotificationsService } from './notifications.service.js';

@Module({ providers: [NotificationsChannel, NotificationsService], exports: [NotificationsService] })
export class NotificationsModule {}
