// What the last writes changed, so that they can be taken back as by a failover to a replica that lags. Knows no key and no command.

type Undo = () => void;

export class UndoLog {
  /** A ring of the last writes; each is what takes it back, step by step. */
  private readonly units: (Undo[] | undefined)[];
  private next = 0;
  private kept = 0;
  private current: Undo[] | undefined;
  writes = 0;

  constructor(private readonly most: number) {
    this.units = Array.from({ length: most });
  }

  /** A step of the write that is under way. */
  note(undo: Undo): void {
    if (this.current === undefined) this.current = [undo];
    else this.current.push(undo);
  }

  /** A change that no command made: it goes with the write before it. */
  noteAside(undo: Undo): void {
    if (this.current !== undefined) this.current.push(undo);
    else if (this.kept > 0) this.units[(this.next + this.most - 1) % this.most]?.push(undo);
  }

  /** The write is done. */
  close(): void {
    const { current } = this;
    if (current === undefined) return;
    this.current = undefined;
    this.writes++;
    if (this.most === 0) return;
    this.units[this.next] = current;
    this.next = (this.next + 1) % this.most;
    if (this.kept < this.most) this.kept++;
  }

  /** Returns how many were taken back. */
  back(count: number): number {
    const wanted = Math.min(count, this.kept);
    for (let done = 0; done < wanted; done++) {
      this.next = (this.next + this.most - 1) % this.most;
      const unit = this.units[this.next] ?? [];
      this.units[this.next] = undefined;
      for (let at = unit.length - 1; at >= 0; at--) unit[at]?.();
    }
    this.kept -= wanted;
    return wanted;
  }

  clear(): void {
    this.units.fill(undefined);
    this.kept = 0;
    this.current = undefined;
  }
}
