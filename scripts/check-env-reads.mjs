// Fails when the environment is read in src/ outside src/config/: one room reads it, once, into a typed object.
// Works on the syntax tree, so comments and texts do not count. Import rules are .dependency-cruiser.cjs's matter.
import { readdirSync, readFileSync } from 'node:fs';
import { join, relative, sep } from 'node:path';
import { fileURLToPath } from 'node:url';
import ts from 'typescript';
import { isMain } from './is-main.mjs';

/** @param {ts.Node} node */
function isProcess(node) {
  if (ts.isIdentifier(node)) return node.text === 'process';
  return ts.isPropertyAccessExpression(node) && node.name.text === 'process';
}

/** @param {ts.Node | undefined} name */
function isEnv(name) {
  return name !== undefined && (ts.isIdentifier(name) || ts.isStringLiteralLike(name)) && name.text === 'env';
}

/** @param {ts.BindingName} name */
function takesEnv(name) {
  return ts.isObjectBindingPattern(name) && name.elements.some((one) => isEnv(one.propertyName ?? one.name));
}

/** @param {ts.Node} node */
function readsEnv(node) {
  if (ts.isPropertyAccessExpression(node)) return isEnv(node.name) && isProcess(node.expression);
  if (ts.isElementAccessExpression(node)) return isEnv(node.argumentExpression) && isProcess(node.expression);
  if (ts.isVariableDeclaration(node)) {
    return node.initializer !== undefined && isProcess(node.initializer) && takesEnv(node.name);
  }
  if (!ts.isImportDeclaration(node) || !ts.isStringLiteral(node.moduleSpecifier)) return false;
  if (!/^(node:)?process$/.test(node.moduleSpecifier.text)) return false;
  const bindings = node.importClause?.namedBindings;
  return (
    bindings !== undefined &&
    ts.isNamedImports(bindings) &&
    bindings.elements.some((one) => isEnv(one.propertyName ?? one.name))
  );
}

/** @param {string} file @param {string} text @returns {number[]} lines, from 1, that read the environment */
export function envReadsIn(file, text) {
  const source = ts.createSourceFile(file, text, ts.ScriptTarget.ES2023, false);
  /** @type {number[]} */
  const lines = [];
  /** @param {ts.Node} node */
  const visit = (node) => {
    if (readsEnv(node)) lines.push(source.getLineAndCharacterOfPosition(node.getStart(source)).line + 1);
    ts.forEachChild(node, visit);
  };
  visit(source);
  return lines;
}

/** @param {string} src the folder src/ @returns {string[]} `file:line` of each forbidden read */
export function findEnvReads(src) {
  return readdirSync(src, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && entry.name.endsWith('.ts'))
    .map((entry) => join(entry.parentPath, entry.name))
    .filter((file) => !relative(src, file).startsWith(`config${sep}`))
    .sort()
    .flatMap((file) =>
      envReadsIn(file, readFileSync(file, 'utf8')).map((line) => `${relative(src, file)}:${line}`),
    );
}

if (isMain(import.meta.url)) {
  const reads = findEnvReads(fileURLToPath(new URL('../src', import.meta.url)));
  for (const read of reads) console.error(`src/${read} reads process.env; only src/config/ may.`);
  if (reads.length > 0) process.exitCode = 1;
}
