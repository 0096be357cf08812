// When two channel patterns match the same names: parameter names aside, they are the same text.

export function shapeOf(pattern: string): string {
  return pattern.replaceAll(/\{[^}]*\}/g, '{}');
}
