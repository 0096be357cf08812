// Follows the file of API keys while the application runs. Knows no key.

import type { OnApplicationShutdown, OnModuleInit } from '@nestjs/common';
import type { ApiKeysFile } from './api-keys.file.js';

export class ApiKeysLife implements OnModuleInit, OnApplicationShutdown {
  constructor(private readonly file: ApiKeysFile | undefined) {}

  onModuleInit(): void {
    this.file?.start();
  }

  onApplicationShutdown(): void {
    this.file?.stop();
  }
}
