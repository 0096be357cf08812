// The errors that a Redis and the client library say, in their words. Knows no command.

import { ReplyError } from 'ioredis';

/** The library gives it no type. */
const TypedError = ReplyError as new (message: string) => Error;

export function replyError(message: string): Error {
  return new TypedError(message);
}

export function isReplyError(error: unknown): error is Error {
  return error instanceof Error && error.name === 'ReplyError';
}

/** What was sent and not answered, when its connection is gone. */
export function unanswered(): Error {
  const error = new Error(
    'Reached the max retries per request limit (which is 0). Refer to "maxRetriesPerRequest" option for details.',
  );
  error.name = 'MaxRetriesPerRequestError';
  return error;
}

export function notWritable(): Error {
  return new Error("Stream isn't writeable and enableOfflineQueue options is false");
}

export function connectionClosed(): Error {
  return new Error('Connection is closed.');
}

export function commandTimedOut(): Error {
  return new Error('Command timed out');
}

export function connectTimedOut(): Error {
  return Object.assign(new Error('connect ETIMEDOUT'), { code: 'ETIMEDOUT', syscall: 'connect' });
}

export function refused(): Error {
  const text = 'connect ECONNREFUSED 127.0.0.1:6379';
  return Object.assign(new Error(text), { code: 'ECONNREFUSED', syscall: 'connect' });
}

export function reset(): Error {
  return Object.assign(new Error('read ECONNRESET'), { code: 'ECONNRESET', syscall: 'read' });
}

export function socketTimedOut(ms: number): Error {
  return new Error(`Socket timeout. Expecting data, but didn't receive any in ${ms}ms.`);
}
