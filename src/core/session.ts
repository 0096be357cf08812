// One connected client, whatever its transport: identity, subscriptions, inbox in order, outbox. Knows no wire and no Nest.

import { CLOSE, type CloseRow } from '../protocol/codes.js';
import type {
  Command,
  CommandResult,
  Decoded,
  ErrorBody,
  FrameId,
  GapPush,
  Push,
} from '../protocol/frames.js';
import type { Frame } from './batch.js';
import { toTrunklineError, type TrunklineError } from './errors.js';
import type { Identity } from './identity.js';
import { Outbox, type OutboxContext, type OutboxOwner } from './outbox.js';
import type { RateGate } from './ports/application.js';
import type { Link, WireFormat } from './ports/link.js';
import type { Clock } from './ports/time.js';
import type { Listener, Subscription } from './subscription.js';

export type Outcome =
  | {
      readonly result: CommandResult;
      /** Runs right after the reply was handed to the outbox. */
      readonly after?: () => void;
    }
  /** It has its place in the order of things, and only its answer is to come. */
  | { readonly later: Promise<CommandResult> };

/** What carries out the commands of sessions; the session gives order and answers. */
export interface Commands {
  run(session: Session, command: Command): Promise<Outcome>;
  /** The cause of an `internal` error belongs in the log, never in the reply. */
  report(session: Session, error: TrunklineError): void;
}

export interface SessionContext {
  readonly outbox: OutboxContext;
  readonly clock: Clock;
  readonly commands: Commands;
  /** Called once, when the session has ended and must be freed. `told`: the code was ours. */
  readonly onEnd: (session: Session, code: number, told: boolean) => void;
  readonly onIdentity: (session: Session, before: Identity) => void;
}

export interface SessionStart {
  readonly id: string;
  readonly identity: Identity;
  readonly format: WireFormat;
  readonly link: Link;
  readonly gate: RateGate;
}

/** Malformed frames in a row before the session is closed. */
const MALFORMED_LIMIT = 10;
/** Frames over the rate before the session is closed: the peer does not listen to what it is told. */
const EXCESS_LIMIT = 200;
/** A frame within the rate makes up for this many over it. */
const EXCESS_FORGIVEN = 20;
/** Frames that wait for an earlier one before the transport stops reading, and at which it goes on. */
const INBOX_PAUSE = 64;
const INBOX_RESUME = 16;
/**
 * Publishes of one session on their way to the log at a time. They are given to it in order; who sends many without waiting is not held
 * up by the time each answer takes, and a log that stands still fails them together and not one after another.
 */
const OVERLAP = 64;

export class Session implements Listener, OutboxOwner {
  readonly id: string;
  readonly format: WireFormat;
  readonly link: Link;
  readonly startedAt: number;
  readonly subscriptions = new Map<string, Subscription>();
  ended = false;
  /** `expiring` was told for the present token. */
  expiryTold = false;
  private who: Identity;
  private readonly gate: RateGate;
  private readonly outbox: Outbox;
  private inbox: Decoded[] = [];
  private running = false;
  private paused = false;
  /** Answers to come. */
  private readonly pending = new Set<Promise<void>>();
  private lastPending: Promise<void> | undefined;
  private malformed = 0;
  private excess = 0;
  /** Far over the rate: what has come is answered, nothing more is taken, and then the session ends. */
  private flooded = false;

  constructor(
    start: SessionStart,
    private readonly context: SessionContext,
  ) {
    this.id = start.id;
    this.format = start.format;
    this.link = start.link;
    this.who = start.identity;
    this.gate = start.gate;
    this.startedAt = context.clock.now();
    this.outbox = new Outbox(this, context.outbox);
  }

  get identity(): Identity {
    return this.who;
  }

  get user(): string | undefined {
    return this.who.user;
  }

  /** Whoever went while his credential was checked becomes nobody: what follows from an identity would be kept for him until it ends. */
  become(identity: Identity): void {
    if (this.ended) return;
    const before = this.who;
    this.who = identity;
    this.expiryTold = false;
    this.context.onIdentity(this, before);
  }

  /** One frame from the peer. Frames are handled one after another, but for publishes that follow each other; each gets its answer in turn. */
  receive(input: string, bytes = input.length): void {
    if (this.ended || this.flooded) return;
    const waitMs = this.metered(bytes);
    const decoded = waitMs > 0 ? this.overRate(input, waitMs) : this.format.decode(input);
    this.enqueue(decoded);
  }

  /** A frame that the transport could not even read as text. */
  receiveMalformed(error: ErrorBody, bytes = 0): void {
    if (this.ended || this.flooded) return;
    this.metered(bytes);
    this.enqueue({ ok: false, id: undefined, error });
  }

  send(frame: Frame): void {
    this.outbox.send(frame);
  }

  push(push: Push): void {
    const mark = push.type === 'subscribed' ? push.result : undefined;
    this.outbox.send({ bytes: this.format.push(push), droppable: undefined, mark });
  }

  reply(decoded: { readonly id: FrameId | undefined }, error: ErrorBody): void {
    this.outbox.send({ bytes: this.format.error(decoded.id, error), droppable: undefined });
  }

  encodeGap(gap: GapPush): Buffer {
    return this.format.push(gap);
  }

  /** Feeds call `send` while they walk their lists, so the end is put off until they are through. */
  overflowed(): void {
    this.context.clock.soon(() => this.close(CLOSE.slowConsumer));
  }

  drained(): void {
    this.outbox.drained();
  }

  get waitingBytes(): number {
    return this.outbox.waitingBytes;
  }

  /** Ends the session from our side. */
  close({ code, reason }: CloseRow | { readonly code: number; readonly reason: string }): void {
    if (this.ended) return;
    this.finish(code, true);
    this.link.close(code, reason);
  }

  /** The transport says that the connection is gone. */
  closed(code: number): void {
    if (!this.ended) this.finish(code, false);
  }

  private finish(code: number, told: boolean): void {
    this.outbox.close();
    this.ended = true;
    this.inbox = [];
    this.context.onEnd(this, code, told);
  }

  /** Milliseconds to wait, 0 when within the rate. Every frame counts, whatever it is; a flood of any kind ends. */
  private metered(bytes: number): number {
    const waitMs = this.gate.take(this.context.clock.now(), bytes);
    this.excess = waitMs > 0 ? this.excess + 1 : Math.max(0, this.excess - EXCESS_FORGIVEN);
    this.flooded = this.excess >= EXCESS_LIMIT;
    return waitMs;
  }

  private overRate(input: string, waitMs: number): Decoded {
    const decoded = this.format.decode(input);
    if (decoded.ok ? decoded.command.type === 'unsubscribe' : decoded.error.code === 'invalid_frame')
      return decoded;
    const message = `Too many messages; wait ${waitMs} ms.`;
    return {
      ok: false,
      id: decoded.id,
      error: { code: 'rate_limited', message, retry: true, retryAfterMs: waitMs },
    };
  }

  private enqueue(decoded: Decoded): void {
    this.inbox.push(decoded);
    if (this.inbox.length >= INBOX_PAUSE && !this.paused) {
      this.paused = true;
      this.link.pause();
    }
    if (!this.running) void this.run();
  }

  private async run(): Promise<void> {
    this.running = true;
    while (!this.ended) {
      const decoded = this.inbox[0];
      if (decoded === undefined && !this.flooded) break;
      // Whatever follows a publish finds it done, but for the next publish.
      const overlaps = decoded?.ok === true && decoded.command.type === 'publish';
      if (this.pending.size >= (overlaps ? OVERLAP : 1)) {
        const [oldest] = this.pending;
        await oldest;
        continue;
      }
      if (decoded === undefined) break;
      this.inbox.shift();
      if (decoded.ok) await this.execute(decoded);
      else this.refuse(decoded);
      if (this.paused && this.inbox.length <= INBOX_RESUME) {
        this.paused = false;
        this.link.resume();
      }
    }
    this.running = false;
    if (this.flooded) this.close(CLOSE.rateLimited);
  }

  private refuse(decoded: Extract<Decoded, { ok: false }>): void {
    const { code } = decoded.error;
    this.context.outbox.stats.error(code);
    this.malformed = code === 'invalid_frame' ? this.malformed + 1 : 0;
    this.reply(decoded, decoded.error);
    if (this.malformed >= MALFORMED_LIMIT) this.close(CLOSE.violation);
  }

  private async execute({ id, command }: Extract<Decoded, { ok: true }>): Promise<void> {
    this.malformed = 0;
    this.context.outbox.stats.frames++;
    try {
      const outcome = await this.context.commands.run(this, command);
      if ('later' in outcome) this.follow(id, outcome.later);
      else this.answer(id, outcome.result, outcome.after);
    } catch (thrown) {
      this.fail(id, thrown);
    }
  }

  private follow(id: FrameId | undefined, later: Promise<CommandResult>): void {
    const turn = this.answerInTurn(id, later, this.lastPending);
    this.pending.add(turn);
    this.lastPending = turn;
    void turn.then(() => this.pending.delete(turn));
  }

  /** Answers keep the order of their frames, although the log may carry out publishes of different channels in any. */
  private async answerInTurn(
    id: FrameId | undefined,
    later: Promise<CommandResult>,
    before: Promise<void> | undefined,
  ): Promise<void> {
    const outcome = await later.then(
      (result) => ({ result }),
      (thrown: unknown) => ({ thrown }),
    );
    await before;
    if ('result' in outcome) this.answer(id, outcome.result);
    else this.fail(id, outcome.thrown);
  }

  private answer(id: FrameId | undefined, result: CommandResult, after?: () => void): void {
    if (this.ended) return;
    this.outbox.send({ bytes: this.format.ok(id, result), droppable: undefined });
    after?.();
  }

  private fail(id: FrameId | undefined, thrown: unknown): void {
    const error = toTrunklineError(thrown);
    this.context.outbox.stats.error(error.code);
    if (error.code === 'internal') this.context.commands.report(this, error);
    if (!this.ended) this.reply({ id }, error.toBody());
  }
}
