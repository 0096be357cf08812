// Pushes, replies and results → JSON text of `trunkline.v1`. Payload text is embedded as it is, never parsed and printed again.

import type { CommandResult, ErrorBody, FrameId, Push } from './frames.js';
import type { HistoryResult, Member, Publication, PublishResult, SubscribeResult } from './publication.js';

const quote = JSON.stringify as (text: string) => string;

export function encodePush(push: Push): string {
  switch (push.type) {
    case 'message':
      return `{"event":"message","data":${encodeMessage(push.channel, push.publication)}}`;
    case 'subscribed':
      return `{"event":"subscribed","data":${encodeSubscribeResult(push.result)}}`;
    case 'custom':
      return `{"event":${quote(push.event)},"data":${push.data}}`;
    default:
      return `{"event":"${push.type}","data":${encodePushData(push)}}`;
  }
}

/** The `data` of a push alone, as SSE and polling carry it. */
export function encodePushData(push: Push): string {
  switch (push.type) {
    case 'message':
      return encodeMessage(push.channel, push.publication);
    case 'subscribed':
      return encodeSubscribeResult(push.result);
    case 'custom':
      return push.data;
    default: {
      const { type: _type, ...data } = push;
      return JSON.stringify(data);
    }
  }
}

/** `data` of a `message` push; also one entry of `messages` in replies. Offset is left out where none was given. */
export function encodeMessage(channel: string, publication: Publication): string {
  const { offset, id, event, data, from, time, key } = publication;
  let text = `{"channel":${quote(channel)}`;
  if (offset > 0) text += `,"offset":${offset}`;
  text += `,"id":"${id}","event":${quote(event)},"data":${data}`;
  if (from !== undefined) text += `,"from":${JSON.stringify(from)}`;
  text += `,"time":${time}`;
  if (key !== undefined) text += `,"key":${quote(key)}`;
  return `${text}}`;
}

export function encodeMessages(channel: string, publications: readonly Publication[]): string {
  return `[${publications.map((publication) => encodeMessage(channel, publication)).join(',')}]`;
}

export function encodeOk(id: FrameId | undefined, result: CommandResult): string {
  return `{"event":"ok"${idField(id)},"data":${encodeResult(result)}}`;
}

export function encodeError(id: FrameId | undefined, error: ErrorBody): string {
  return `{"event":"error"${idField(id)},"data":${JSON.stringify(error)}}`;
}

function idField(id: FrameId | undefined): string {
  if (id === undefined) return '';
  return typeof id === 'number' ? `,"id":${id}` : `,"id":${quote(id)}`;
}

export function encodeResult(result: CommandResult): string {
  switch (result.type) {
    case 'subscribe':
      return encodeSubscribeResult(result.result);
    case 'publish':
      return encodePublishResult(result.result);
    case 'history':
      return encodeHistoryResult(result.result);
    case 'custom':
      return result.data;
    case 'authenticate':
      return JSON.stringify({ user: result.user, expiresAt: result.expiresAt });
    case 'unsubscribe':
      return `{"channel":${quote(result.channel)}}`;
    case 'presence':
      return encodeMembers(result.channel, result.members);
    case 'ping':
      return `{"time":${result.time}}`;
  }
}

export function encodeSubscribeResult(result: SubscribeResult): string {
  const { channel, epoch, offset, id, recoverable, recovered, reason, messages, members } = result;
  let text = `{"channel":${quote(channel)},"epoch":"${epoch}","offset":${offset},"id":"${id}"`;
  text += `,"recoverable":${recoverable},"recovered":${recovered}`;
  if (reason !== undefined) text += `,"reason":"${reason}"`;
  text += `,"messages":${encodeMessages(channel, messages)}`;
  if (members !== undefined) text += `,"members":${JSON.stringify(members)}`;
  return `${text}}`;
}

export function encodePublishResult(result: PublishResult): string {
  const { channel, epoch, offset, id, duplicate } = result;
  return `{"channel":${quote(channel)},"epoch":"${epoch}","offset":${offset},"id":"${id}","duplicate":${duplicate}}`;
}

export function encodeHistoryResult(result: HistoryResult): string {
  const { channel, epoch, offset, id, messages } = result;
  return `{"channel":${quote(channel)},"epoch":"${epoch}","offset":${offset},"id":"${id}","messages":${encodeMessages(channel, messages)}}`;
}

export function encodeMembers(channel: string, members: readonly Member[]): string {
  return `{"channel":${quote(channel)},"members":${JSON.stringify(members)}}`;
}
