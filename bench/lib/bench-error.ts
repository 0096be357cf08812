// An error whose message is meant for the person at the terminal: printed as one line, without a stack.
export class BenchError extends Error {
  override readonly name = 'BenchError';
}
