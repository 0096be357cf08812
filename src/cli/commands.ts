// What each command of `trunkline` does. Talks to a running server over its public door only.

import { existsSync } from 'node:fs';
import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { parseArgs, type ParseArgsConfig } from 'node:util';
import { WebSocket } from 'ws';
import { HmacTokenVerifier } from '../auth/token.verifier.hmac.js';
import { apiKeysOf } from '../auth/api-keys.file.js';
import { verificationOf } from '../auth/verification.js';
import { loadConfig } from '../config/config.js';
import { BEARER_SUBPROTOCOL, SUBPROTOCOL } from '../protocol/frames.js';

/** The words of the call are off; the message says how. */
export class UsageError extends Error {}

export const USAGE = `Usage: trunkline <command>

  start                                   run the server with the environment's configuration
  token --user <id> [--name <name>]       print a token signed with TRUNKLINE_JWT_SECRET
        [--ttl 1h] [--channels <json>]      --channels '{"chat:*":["subscribe","publish"]}'
  publish <channel> <event> <json>        publish to a running server   [--url …] [--token … | --user <id>]
  subscribe <channel>…                    print what comes, one JSON frame a line   [--url …] [--token … | --user <id>]
  check-config                            say what is wrong with the environment, or that it is good
  bench [scenario]                        run the benchmarks of a source checkout

--url defaults to http://localhost:3000. Without --token, a token for --user (default "cli") is signed as \`token\` does.
`;

type Command = (words: string[]) => Promise<void>;

const SECONDS: ReadonlyMap<string, number> = new Map([
  ['s', 1],
  ['m', 60],
  ['h', 3600],
  ['d', 86_400],
]);

const SERVER = { url: { type: 'string' }, token: { type: 'string' }, user: { type: 'string' } } as const;

export const COMMANDS: ReadonlyMap<string, Command> = new Map<string, Command>([
  ['start', start],
  ['token', token],
  ['publish', publish],
  ['subscribe', subscribe],
  ['check-config', checkConfig],
  ['bench', bench],
]);

async function start(): Promise<void> {
  await import('../main.js');
}

async function token(words: string[]): Promise<void> {
  const { values } = parse(words, {
    user: { type: 'string' },
    name: { type: 'string' },
    ttl: { type: 'string' },
    channels: { type: 'string' },
  });
  if (values.user === undefined) throw new UsageError('trunkline token needs --user <id>.');
  const channels = values.channels === undefined ? {} : { channels: json(values.channels, '--channels') };
  const name = values.name === undefined ? {} : { name: values.name };
  process.stdout.write(
    `${await sign({ sub: values.user, ...name, ...channels }, seconds(values.ttl ?? '1h'))}\n`,
  );
}

async function publish(words: string[]): Promise<void> {
  const { values, positionals } = parse(words, SERVER);
  const [channel, event, data = '{}', ...rest] = positionals;
  if (channel === undefined || event === undefined || rest.length > 0) {
    throw new UsageError('trunkline publish needs <channel> <event> <json>.');
  }
  json(data, 'the payload');
  const answer = await fetch(
    new URL(`/api/channels/${encodeURIComponent(channel)}/messages`, values.url ?? DEFAULT_URL),
    {
      method: 'POST',
      headers: { 'content-type': 'application/json', authorization: `Bearer ${await credential(values)}` },
      body: `{"event":${JSON.stringify(event)},"data":${data}}`,
    },
  );
  const text = await answer.text();
  if (!answer.ok) throw new Error(`${answer.status} ${text}`);
  process.stdout.write(`${text}\n`);
}

async function subscribe(words: string[]): Promise<void> {
  const { values, positionals } = parse(words, SERVER);
  if (positionals.length === 0) throw new UsageError('trunkline subscribe needs a channel.');
  const url = new URL('/ws', values.url ?? DEFAULT_URL);
  url.protocol = url.protocol.replace('http', 'ws');
  const socket = new WebSocket(url, [SUBPROTOCOL, BEARER_SUBPROTOCOL + (await credential(values))]);
  await new Promise<void>((resolve, reject) => {
    socket.on('open', () =>
      positionals.forEach((channel, id) =>
        socket.send(JSON.stringify({ event: 'subscribe', id, data: { channel } })),
      ),
    );
    socket.on('message', (data) => process.stdout.write(`${(data as Buffer).toString('utf8')}\n`));
    socket.on('error', reject);
    socket.on('close', (code, reason) => {
      if (code === 1000) resolve();
      else reject(new Error(`closed ${code} ${reason.toString('utf8')}`));
    });
    process.once('SIGINT', () => socket.close(1000));
  });
}

async function checkConfig(): Promise<void> {
  const { config, warnings } = loadConfig();
  verificationOf(config.auth);
  apiKeysOf(config.auth);
  for (const warning of warnings) process.stderr.write(`warning: ${warning}\n`);
  process.stdout.write(`The configuration is good (${config.production ? 'production' : 'development'}).\n`);
}

async function bench(words: string[]): Promise<void> {
  const runner = fileURLToPath(new URL('../../bench/run.mjs', import.meta.url));
  if (!existsSync(runner))
    throw new Error('The benchmarks are part of the source checkout, not of the package.');
  const child = spawn(process.execPath, [runner, ...words], { stdio: 'inherit' });
  process.exitCode = await new Promise<number>((resolve) => child.on('close', (code) => resolve(code ?? 1)));
}

const DEFAULT_URL = 'http://localhost:3000';

async function credential({
  token: given,
  user = 'cli',
}: {
  token?: string;
  user?: string;
}): Promise<string> {
  return given ?? sign({ sub: user }, 3600);
}

async function sign(claims: Record<string, unknown>, ttlSeconds: number): Promise<string> {
  const { auth } = loadConfig().config;
  if (auth.publicKeyFile !== '' || auth.jwksUrl !== '')
    throw new UsageError(
      'This server checks tokens with public keys, so it cannot make any: `trunkline token` signs with TRUNKLINE_JWT_SECRET only. Take a token of your identity provider and give it with --token.',
    );
  const verifier = new HmacTokenVerifier(auth);
  const signed = verifier.sign(claims, ttlSeconds);
  // Claims that the server would refuse are told here, not at the first connect.
  await verifier.verify(signed);
  return signed;
}

function parse<T extends NonNullable<ParseArgsConfig['options']>>(words: string[], options: T) {
  try {
    return parseArgs({ args: words, options, allowPositionals: true, strict: true });
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error));
  }
}

function seconds(text: string): number {
  const parts = /^([1-9][0-9]{0,8})([smhd])$/.exec(text);
  if (parts === null) throw new UsageError('--ttl must look like 90s, 1h or 7d.');
  return Number(parts[1]) * (SECONDS.get(parts[2] as string) as number);
}

function json(text: string, what: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new UsageError(`${what} must be JSON.`);
  }
}
