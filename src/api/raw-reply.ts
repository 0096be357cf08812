// For handlers that return JSON text: payloads in it stay as they came, which a parse and a print would not keep.

import { Header } from '@nestjs/common';

export const RawJson = (): MethodDecorator => Header('Content-Type', 'application/json; charset=utf-8');
