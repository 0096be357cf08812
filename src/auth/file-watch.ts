// Says when files may have changed: by polling, since what watches files loses them when a secret is mounted anew, and at once on SIGHUP, as
// other servers do. Reads none of them.

import { statSync } from 'node:fs';
import type { Cancel, Clock } from '../core/ports/time.js';

export interface FileWatchParts {
  readonly paths: readonly string[];
  readonly everyMs: number;
  readonly clock: Pick<Clock, 'after'>;
  readonly onChange: () => void;
  /** Of one path: its state when it was read. Left out: what is there now is taken as known. */
  readonly known?: string;
}

export class FileWatch {
  private seen: string;
  private cancel: Cancel | undefined;
  private readonly onHangUp = (): void => this.changed();

  constructor(private readonly parts: FileWatchParts) {
    this.seen = parts.known ?? this.state();
  }

  start(): void {
    if (this.cancel !== undefined) return;
    process.on('SIGHUP', this.onHangUp);
    this.arm();
  }

  stop(): void {
    this.cancel?.();
    this.cancel = undefined;
    process.off('SIGHUP', this.onHangUp);
  }

  private arm(): void {
    this.cancel = this.parts.clock.after(this.parts.everyMs, () => {
      this.arm();
      if (this.state() !== this.seen) this.changed();
    });
  }

  /** The state is noted first: what is written meanwhile is looked at again, and what is not good is told once. */
  private changed(): void {
    this.seen = this.state();
    this.parts.onChange();
  }

  private state(): string {
    return this.parts.paths.map(stateOf).join(' ');
  }
}

/** Times, size and inode: a file that was replaced within one tick of the clock has another inode. One that cannot be looked at is a state too. */
export function stateOf(path: string): string {
  try {
    const { mtimeNs, ctimeNs, size, ino } = statSync(path, { bigint: true });
    return `${mtimeNs}/${ctimeNs}/${size}/${ino}`;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code ?? 'none';
  }
}
