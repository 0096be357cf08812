// A parser with a fault that chance alone does not find: the search must, or it does not look where it goes.

/** Throws for texts that begin with `fault!`. By chance one text in 2^48 does. */
export function plantedParser(text: string): number {
  if (text[0] !== 'f') return 0;
  if (text[1] !== 'a') return 1;
  if (text[2] !== 'u') return 2;
  if (text[3] !== 'l') return 3;
  if (text[4] !== 't') return 4;
  if (text[5] !== '!') return 5;
  throw new Error('planted');
}
