// Reads the JSON file of channel rules and says what is wrong with it in words an operator can act on. Knows no router.

import { readFileSync } from 'node:fs';
import { z } from 'zod';
import { parseChannelPattern } from '../protocol/channel-pattern.js';
import { CHANNEL_FIELDS, checkTogether, messageOfObject, type ChannelOptions } from './channel-options.js';
import { shapeOf } from './channel-shape.js';

export interface ChannelRule extends ChannelOptions {
  /** The pattern, such as `bench:{name}`. */
  readonly channel: string;
}

export class RulesFileError extends Error {
  override readonly name = 'RulesFileError';
}

const rule = z
  .strictObject(
    {
      channel: z
        .string({ error: 'must be a channel pattern such as "orders:{id}"' })
        .superRefine(checkPattern),
      ...CHANNEL_FIELDS,
    },
    { error: messageOfObject('must be an object with a "channel"') },
  )
  .superRefine(checkTogether) satisfies z.ZodType<ChannelRule>;

const rules = z
  .array(rule, { error: 'The file must hold a list of rules: [{ "channel": … }, …].' })
  .superRefine(checkTwins);

/** Throws RulesFileError. */
export function readRulesFile(path: string): readonly ChannelRule[] {
  try {
    return parseRules(readFileSync(path, 'utf8'));
  } catch (thrown) {
    const reason = thrown instanceof Error ? thrown.message : String(thrown);
    throw new RulesFileError(`The channel rules in ${path} cannot be used.\n${reason}`, { cause: thrown });
  }
}

/** Throws RulesFileError with one line a fault. */
export function parseRules(text: string): readonly ChannelRule[] {
  const value = parseJson(text);
  const parsed = rules.safeParse(value);
  if (parsed.success) return parsed.data;
  throw new RulesFileError(parsed.error.issues.map((issue) => describe(issue, value)).join('\n'));
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text.replace(/^\uFEFF/, ''));
  } catch (thrown) {
    throw new RulesFileError(`It is not JSON: ${(thrown as Error).message}.`);
  }
}

function checkPattern(text: string, context: z.RefinementCtx): void {
  try {
    parseChannelPattern(text);
  } catch (thrown) {
    context.addIssue({ code: 'custom', message: `cannot be used. ${(thrown as Error).message}` });
  }
}

function checkTwins(list: readonly ChannelRule[], context: z.RefinementCtx): void {
  const first = new Map<string, number>();
  list.forEach(({ channel }, index) => {
    const shape = shapeOf(channel);
    const earlier = first.get(shape);
    if (earlier === undefined) first.set(shape, index);
    else
      context.addIssue({
        code: 'custom',
        path: [index, 'channel'],
        message: `matches the same names as rule ${earlier + 1}`,
      });
  });
}

function describe({ path, message }: z.core.$ZodIssue, value: unknown): string {
  const [index, ...rest] = path;
  if (typeof index !== 'number') return message;
  const { channel } = (value as readonly ({ channel?: unknown } | null)[])[index] ?? {};
  const where = `Rule ${index + 1}${typeof channel === 'string' ? ` ("${channel}")` : ''}`;
  return rest.length === 0 ? `${where} ${message}.` : `${where}: ${rest.join('.')} ${message}.`;
}
