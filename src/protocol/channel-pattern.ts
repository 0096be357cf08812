// Channel patterns such as `chat:{room}` and `orders:*`: parse, match, compare. One matcher for code, rules file and capabilities.

import { isChannelName } from './names.js';

export interface ChannelPattern {
  readonly text: string;
  readonly params: readonly string[];
  /** The parameters of a matching name, or undefined. `{x}` takes one segment, a last `*` takes one or more. */
  match(channel: string): ReadonlyMap<string, string> | undefined;
}

const SEPARATOR = ':';
const PARAM = /^\{([A-Za-z_][A-Za-z0-9_]*)\}$/;
const NO_PARAMS: ReadonlyMap<string, string> = new Map();

type Segment = { kind: 'text'; text: string } | { kind: 'param'; name: string } | { kind: 'rest' };

/** Throws a plain Error with a sentence for the operator when the pattern is not usable. */
export function parseChannelPattern(text: string): ChannelPattern {
  if (text === '') throw new Error('A channel pattern must not be empty.');
  const parts = text.split(SEPARATOR);
  const segments = parts.map((part, index) => parseSegment(part, index === parts.length - 1, text));
  const params = segments.flatMap((segment) => (segment.kind === 'param' ? [segment.name] : []));
  if (new Set(params).size !== params.length)
    throw new Error(`Channel pattern "${text}" names a parameter twice.`);
  return { text, params, match: (channel) => matchSegments(segments, channel) };
}

function parseSegment(part: string, last: boolean, whole: string): Segment {
  if (part === '*') {
    if (!last) throw new Error(`Channel pattern "${whole}" has a "*" that is not its last segment.`);
    return { kind: 'rest' };
  }
  const param = PARAM.exec(part)?.[1];
  if (param !== undefined) return { kind: 'param', name: param };
  if (!isChannelName(part)) {
    throw new Error(
      `Channel pattern "${whole}" has the segment "${part}", which is neither text, {name} nor "*".`,
    );
  }
  return { kind: 'text', text: part };
}

function matchSegments(
  segments: readonly Segment[],
  channel: string,
): ReadonlyMap<string, string> | undefined {
  const parts = channel.split(SEPARATOR);
  const open = segments[segments.length - 1]?.kind === 'rest';
  if (open ? parts.length < segments.length : parts.length !== segments.length) return undefined;
  if (parts.includes('')) return undefined;
  let params: Map<string, string> | undefined;
  for (let i = 0; i < segments.length; i++) {
    const segment = segments[i] as Segment;
    const part = parts[i] as string;
    if (segment.kind === 'text' && segment.text !== part) return undefined;
    if (segment.kind === 'param') (params ??= new Map()).set(segment.name, part);
  }
  return params ?? NO_PARAMS;
}

/** Literal segments win over parameters, parameters over `*`; the earlier segment decides. Negative: `a` is narrower. */
export function compareSpecificity(a: ChannelPattern, b: ChannelPattern): number {
  const left = a.text.split(SEPARATOR);
  const right = b.text.split(SEPARATOR);
  for (let i = 0; i < Math.max(left.length, right.length); i++) {
    const difference = weight(right[i]) - weight(left[i]);
    if (difference !== 0) return difference;
  }
  return 0;
}

function weight(part: string | undefined): number {
  if (part === undefined) return 0;
  if (part === '*') return 1;
  return PARAM.test(part) ? 2 : 3;
}
