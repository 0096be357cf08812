// The events of `chat:{room}`: shapes only.

export interface ChatEvents {
  readonly message: { readonly text: string; readonly name?: string };
  readonly typing: Readonly<Record<string, never>>;
}
