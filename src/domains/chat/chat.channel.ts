// The chat rooms: who may come in, what may be said, what is kept. Imports the public door only.

import { Channel, OnPublish, Payload, Who, type Identity } from '../../index.js';
import { MessageDto } from './message.dto.js';

@Channel('chat:{room}', {
  subscribe: 'authenticated',
  publish: 'authenticated',
  presence: true,
  events: ['message', 'typing'],
  ephemeral: ['typing'],
  history: { size: 500, ttl: '24h' },
})
export class ChatChannel {
  /** The name comes from the identity, so nobody can speak as somebody else. A backend has none. */
  @OnPublish('message')
  message(@Payload() { text }: MessageDto, @Who() who: Identity): { text: string; name: string | undefined } {
    return { text, name: who.name ?? who.user };
  }

  /** Whatever came with it is dropped: who types is all that is told. */
  @OnPublish('typing')
  typing(): object {
    return {};
  }
}
