// A transport as a session sees it: bytes out, a close, a brake on input. Core never imports a transport.

import type { Batch } from '../batch.js';
import type { Decoded, CommandResult, ErrorBody, FrameId, Push } from '../../protocol/frames.js';

/** Turns frames into bytes of one wire, ready to be written. One object per wire format, shared by all its sessions. */
export interface WireFormat {
  readonly name: string;
  decode(input: string): Decoded;
  push(push: Push): Buffer;
  ok(id: FrameId | undefined, result: CommandResult): Buffer;
  error(id: FrameId | undefined, error: ErrorBody): Buffer;
}

export interface Link {
  /** Name in metrics: `ws`, `sse`, `polling`. */
  readonly transport: string;
  /** From where it comes, for links that can bring another credential later. */
  readonly address?: string | undefined;
  /** Takes all of it. False: write no more until the session is told `drained()`. */
  write(batch: Batch): boolean;
  /** Bytes taken and not yet given to the kernel. */
  readonly bufferedBytes: number;
  /** Stop and go on reading from the peer. */
  pause(): void;
  resume(): void;
  /** An event of the application. Undefined: no handler is there. Otherwise resolves to raw JSON text for the reply. */
  custom(event: string, data: string): Promise<string> | undefined;
  /** Ends the connection; the session has already freed what it held. */
  close(code: number, reason: string): void;
}
