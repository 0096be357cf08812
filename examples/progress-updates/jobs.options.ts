// What a team may set for its jobs.

export const JOBS_OPTIONS = Symbol('JOBS_OPTIONS');

export interface JobsOptions {
  /** Milliseconds that a part of the export takes. */
  readonly partMs: number;
}
