// Structured logs: one JSON object a line by pino, behind Nest's LoggerService and the logger port of core. Redacts what may carry a token.

import type { LoggerService } from '@nestjs/common';
import { pino, type Logger as Pino } from 'pino';
import type { CoreLogger } from '../core/ports/application.js';
import type { OpsOptions } from './ops.options.js';

/** What Nest tells of each module and route at the start is for those who debug it. */
const QUIET_CONTEXTS: ReadonlySet<string> = new Set([
  'NestFactory',
  'InstanceLoader',
  'RoutesResolver',
  'RouterExplorer',
  'NestApplication',
]);

/** Longest text of one field; what comes from outside may be long. */
const MAX_FIELD = 2000;

export class StructuredLogger implements LoggerService, CoreLogger {
  private readonly pino: Pino;

  constructor({ logLevel }: Pick<OpsOptions, 'logLevel'>, destination?: { write(line: string): void }) {
    const options = {
      level: logLevel,
      base: null,
      timestamp: () => `,"time":"${new Date().toISOString()}"`,
      formatters: { level: (label: string) => ({ level: label }) },
    };
    this.pino = destination === undefined ? pino(options) : pino(options, destination);
  }

  log(message: unknown, ...rest: unknown[]): void {
    const context = rest[rest.length - 1];
    this.write(typeof context === 'string' && QUIET_CONTEXTS.has(context) ? 'debug' : 'info', message, rest);
  }

  fatal(message: unknown, ...rest: unknown[]): void {
    this.write('fatal', message, rest);
  }

  verbose(message: unknown, ...rest: unknown[]): void {
    this.write('trace', message, rest);
  }

  error(message: unknown, ...rest: unknown[]): void {
    this.write('error', message, rest);
  }

  warn(message: unknown, ...rest: unknown[]): void {
    this.write('warn', message, rest);
  }

  debug(message: unknown, ...rest: unknown[]): void {
    this.write('debug', message, rest);
  }

  /** Nest passes the context as last text, and for errors the stack before it; core passes fields. */
  private write(
    level: 'fatal' | 'error' | 'warn' | 'info' | 'debug' | 'trace',
    message: unknown,
    rest: unknown[],
  ): void {
    if (!this.pino.isLevelEnabled(level)) return;
    const fields: Record<string, unknown> = {};
    const texts: string[] = [];
    for (const item of rest) {
      if (typeof item === 'string') texts.push(item);
      else if (typeof item === 'object' && item !== null)
        for (const [key, value] of Object.entries(item)) fields[key] = clean(value);
    }
    const context = texts.pop();
    if (context !== undefined) fields['context'] = clean(context);
    if (texts.length > 0) fields['stack'] = clean(texts.join('\n'));
    if (message instanceof Error) {
      this.pino[level]({ ...fields, stack: clean(message.stack) }, redact(message.message));
    } else {
      this.pino[level](
        fields,
        typeof message === 'string' ? redact(message) : redact(JSON.stringify(message) ?? ''),
      );
    }
  }
}

/** Three base64url parts: a JWT, wherever it stands; and tokens in a query. */
const JWT = /\beyJ[A-Za-z0-9_-]*\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]*/g;
/** One-time tickets begin so. */
const TICKET = /\btkt_[A-Za-z0-9_-]{43}/g;
/** What a reader of the log does not see, or would see in another order. JSON itself escapes the controls below U+0020. */
const UNSEEN = /[\u007f-\u009f\p{Cf}\p{Zl}\p{Zp}]/gu;
const QUERY = /([?&](?:token|ticket)=)[^&\s"]+/g;

function redact(text: string): string {
  return text
    .replace(JWT, '[token]')
    .replace(TICKET, '[ticket]')
    .replace(QUERY, '$1[token]')
    .replace(UNSEEN, (sign) => `\\u{${sign.codePointAt(0)?.toString(16)}}`)
    .slice(0, MAX_FIELD);
}

function clean(value: unknown): unknown {
  return typeof value === 'string' ? redact(value) : value;
}
