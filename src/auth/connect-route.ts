// Marks the HTTP routes that open a stream or a poll: what the address may carry as a credential is taken there and nowhere else.

import { Reflector } from '@nestjs/core';

export const ConnectRoute = Reflector.createDecorator<true | undefined>();
