// A caller of the REST room: plain HTTP, answers as text and as JSON. Knows no server code.

export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
  /** Parsed on use; throws when the body is no JSON. */
  // oxlint-disable-next-line typescript/no-unnecessary-type-parameters -- the test states the shape it expects
  json<T = Record<string, unknown>>(): T;
}

export interface ProblemBody {
  readonly type: string;
  readonly title: string;
  readonly status: number;
  readonly code: string;
  readonly detail?: string;
  readonly retry: boolean;
  readonly retryAfterMs?: number;
  readonly details?: readonly { readonly path: string; readonly message: string }[];
}

export class ApiClient {
  constructor(
    private readonly url: string,
    /** API key or JWT; undefined for a stranger. */
    private readonly credential?: string,
  ) {}

  /** The same server, called by somebody else. */
  as(credential: string | undefined): ApiClient {
    return new ApiClient(this.url, credential);
  }

  get(path: string, headers: Record<string, string> = {}): Promise<Answer> {
    return this.send('GET', path, { headers });
  }

  delete(path: string): Promise<Answer> {
    return this.send('DELETE', path, {});
  }

  /** A string goes out as it is, anything else as JSON. */
  post(path: string, body: unknown, headers: Record<string, string> = {}): Promise<Answer> {
    const text = typeof body === 'string' ? body : JSON.stringify(body);
    return this.send('POST', path, {
      body: text,
      headers: { 'content-type': 'application/json', ...headers },
    });
  }

  async send(method: string, path: string, { headers = {}, ...init }: RequestInit): Promise<Answer> {
    const authorization = this.credential === undefined ? {} : { authorization: `Bearer ${this.credential}` };
    const all = { ...authorization, ...(headers as Record<string, string>) };
    const response = await fetch(`${this.url}${path}`, { ...init, method, headers: all, redirect: 'manual' });
    const text = await response.text();
    const { status, headers: received } = response;
    // oxlint-disable-next-line typescript/no-unnecessary-type-parameters -- the test states the shape it expects
    return { status, headers: received, text, json: <T>() => JSON.parse(text) as T };
  }
}
