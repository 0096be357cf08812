// The page's title, with the number of messages that came while the tab was hidden. Knows no server.

export class UnreadTitle {
  private count = 0;
  private room = '';
  private readonly onVisible = (): void => {
    if (document.hidden) return;
    this.count = 0;
    this.render();
  };

  constructor() {
    document.addEventListener('visibilitychange', this.onVisible);
  }

  setRoom(room: string): void {
    this.room = room;
    this.count = 0;
    this.render();
  }

  note(): void {
    if (!document.hidden) return;
    this.count++;
    this.render();
  }

  dispose(): void {
    document.removeEventListener('visibilitychange', this.onVisible);
    document.title = 'Trunkline chat';
  }

  private render(): void {
    document.title = `${this.count > 0 ? `(${this.count}) ` : ''}#${this.room} · Trunkline`;
  }
}
