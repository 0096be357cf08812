// What a job is to the service that runs it. Knows no channel.

/** Tells how far the work is. Resolves when the step is told, so a job is never faster than its channel. */
export type Report = (done: number, total: number, note?: string) => Promise<void>;

/** Throws when it fails; stops by throwing soon after `signal` is aborted. What it returns goes to the channel as JSON. */
export type Work = (report: Report, signal: AbortSignal) => Promise<unknown>;

/** Written for the user, unlike the text of any other error. */
export class JobError extends Error {}
