// What a person sees at the terminal when the server is up: addresses, and one line to paste.

export interface GreetingParts {
  readonly port: number;
  /** Tokens are given to who asks, so one line can show a whole round. */
  readonly devTokens: boolean;
  readonly tls: boolean;
  /** Of health and metrics; 0: they are on `port`. */
  readonly ops: { readonly host: string; readonly port: number };
}

export function greeting({ port, devTokens, tls, ops }: GreetingParts): string {
  const [http, ws] = tls ? ['https', 'wss'] : ['http', 'ws'];
  const base = `${http}://localhost:${port}`;
  const lines = [
    `Trunkline is up.`,
    `  page           ${base}/`,
    `  prices         ${base}/prices`,
    `  notifications  ${base}/notifications`,
    `  websocket      ${ws}://localhost:${port}/ws`,
    `  api docs       ${base}/docs`,
  ];
  if (ops.port !== 0) lines.push(`  metrics        http://${ops.host}:${ops.port}/metrics`);
  if (devTokens) {
    lines.push(
      '',
      'Say hello from a second terminal:',
      `  TOKEN=$(curl -s ${base}/api/dev/tokens -H 'content-type: application/json' -d '{"user":"ana"}' | sed 's/.*"token":"\\([^"]*\\)".*/\\1/') && curl -s ${base}/api/channels/chat:lobby/messages -H "authorization: Bearer $TOKEN" -H 'content-type: application/json' -d '{"event":"message","data":{"text":"hello from curl"}}'`,
    );
  }
  return `${lines.join('\n')}\n\n`;
}
