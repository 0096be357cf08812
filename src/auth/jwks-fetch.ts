// One bounded GET of a key set: no redirect, one address, so many bytes, so many milliseconds. Remembers nothing.

export interface FetchBounds {
  /** For the whole answer: one that comes a byte at a time ends too. */
  readonly timeoutMs: number;
  /** Counted after decompression. */
  readonly maxBytes: number;
  readonly signal: AbortSignal;
}

/** Rejects with an error whose message is for the log; it quotes nothing of the answer. */
export async function fetchJson(url: string, { timeoutMs, maxBytes, signal }: FetchBounds): Promise<unknown> {
  const limit = AbortSignal.timeout(timeoutMs);
  let response: Response;
  try {
    response = await fetch(url, {
      headers: { accept: 'application/jwk-set+json, application/json' },
      // A redirect could lead into our own network; it is an answer like any other, and not the one we want.
      redirect: 'manual',
      signal: AbortSignal.any([limit, signal]),
    });
  } catch (error) {
    throw limit.aborted ? new Error(`did not answer within ${timeoutMs} ms`) : cannotReach(error);
  }
  if (response.status !== 200) {
    await response.body?.cancel();
    throw new Error(`answered with status ${response.status}`);
  }
  const text = await readText(response, maxBytes).catch((error: unknown) => {
    throw limit.aborted ? new Error(`did not end its answer within ${timeoutMs} ms`) : error;
  });
  try {
    return JSON.parse(text);
  } catch {
    throw new Error('did not answer with JSON');
  }
}

async function readText({ body }: Response, maxBytes: number): Promise<string> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  // Leaving the loop early ends the connection.
  for await (const chunk of (body ?? []) as AsyncIterable<Uint8Array>) {
    size += chunk.length;
    if (size > maxBytes) throw new Error(`answered with more than ${maxBytes} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}

/** `fetch failed` says nothing; its cause says what the network said. */
function cannotReach(error: unknown): Error {
  const cause = error instanceof Error ? (error.cause as { code?: unknown } | undefined) : undefined;
  const code = typeof cause?.code === 'string' ? cause.code : 'no connection';
  return new Error(`cannot be reached (${code})`, { cause: error });
}
