// Server time → time of this machine, from the ticks alone. Pure.

/**
 * The smallest difference between arrival and server time seen so far is taken as the difference of the clocks: that tick was
 * under way the shortest. Ticks that a poll brings in one go so keep their distances.
 */
export class ServerClock {
  private difference = Infinity;

  /** `moved`: by how many milliseconds, 0 or less, all earlier answers were too late. */
  toLocal(serverTime: number, arrivedAt: number): { readonly time: number; readonly moved: number } {
    const before = this.difference;
    this.difference = Math.min(before, arrivedAt - serverTime);
    const moved = before === Infinity ? 0 : this.difference - before;
    return { time: serverTime + this.difference, moved };
  }
}
