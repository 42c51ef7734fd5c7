import { parse, type ASTNode } from '@marcbachmann/cel-js';
import { Decimal } from './decimal.ts';
import { RENAMED } from './environment.ts';
import { boundedPattern } from './pattern.ts';

/** Most loops within loops (`map`, `filter`, `all`, `exists`, `cel.bind`): each multiplies the time and room an expression can take. */
const MAX_NESTED_LOOPS = 2;
const LOOPS = new Set(['all', 'exists', 'exists_one', 'map', 'filter', 'bind']);
const ARITHMETIC = new Set(['+', '-', '*', '/', '%']);

/** A mistake in an expression, at a place in its text. */
export class ExpressionMistake extends Error {
  override readonly name = 'ExpressionMistake';
  constructor(message: string, source: string, at: number) {
    super(`${message}\n\n${caret(source, at)}`);
  }
}

/** Most characters of a line that are shown on either side of the place. */
const CONTEXT = 60;

/** The line of the text with a mark under the place. */
function caret(source: string, at: number): string {
  const lineStart = source.lastIndexOf('\n', at - 1) + 1;
  const lineEnd = source.indexOf('\n', at) === -1 ? source.length : source.indexOf('\n', at);
  const start = Math.max(lineStart, at - CONTEXT);
  const end = Math.min(lineEnd, at + CONTEXT);
  const number = source.slice(0, lineStart).split('\n').length;
  const head = `> ${String(number).padStart(4)} | ${start > lineStart ? '…' : ''}`;
  return `${head}${source.slice(start, end)}${end < lineEnd ? '…' : ''}\n${' '.repeat(head.length + at - start)}^`;
}

export interface Prepared {
  /** Indexes of the columns that the expression names, in ascending order. */
  readonly inputs: readonly number[];
}

/**
 * Makes a parsed expression ready, in place: `row.<column>` becomes the column's number, so that no name can clash with a word of
 * the language or of JavaScript; our own functions take the place of the library's unsafe ones; a branch that is `null` fits any other;
 * and the literals at `decimals` are read as exact decimals.
 *
 * @param columnIndex undefined when there is no such column
 * @throws {ExpressionMistake}
 */
export function prepare(
  ast: ASTNode,
  source: string,
  columnIndex: (name: string) => number | undefined,
  describeColumns: string,
  decimals: ReadonlySet<number>,
): Prepared {
  const inputs = new Set<number>();
  const fail = (message: string, node: ASTNode): never => {
    throw new ExpressionMistake(message, source, node.pos);
  };
  const column = (name: string, node: ASTNode): string => {
    const index = columnIndex(name) ?? fail(`${describeColumns} has no column ${JSON.stringify(name)}`, node);
    inputs.add(index);
    return fieldName(index);
  };
  const visit = (node: ASTNode, loops: number): void => {
    switch (node.op) {
      case 'value':
        if (decimals.has(node.start)) set(node, decimalOf(node, source, fail));
        return;
      case 'id':
        if (node.args === 'row') fail('row is the whole row; name a column of it, as in row.name or row["name"]', node);
        return;
      case '.':
        if (isRow(node.args[0])) set(node, [node.args[0], column(node.args[1], node)]);
        else visit(node.args[0], loops);
        return;
      case '[]': {
        const [left, key] = node.args;
        if (isRow(left)) {
          if (key.op !== 'value' || typeof key.args !== 'string')
            return fail('the column in row[…] must be written out, as in row["name"]', key);
          set(key, column(key.args, key));
          return;
        }
        break;
      }
      case 'call':
        if (RENAMED.has(node.args[0])) set(node, [RENAMED.get(node.args[0])!, node.args[1]]);
        break;
      case 'rcall': {
        const [name, receiver, args] = node.args;
        if (LOOPS.has(name) && args.some(({ op }) => op === 'id')) {
          if (++loops > MAX_NESTED_LOOPS) fail(`loops are nested more than ${MAX_NESTED_LOOPS} deep`, node);
        }
        if (name === 'matches') {
          const [pattern] = args;
          if (pattern?.op !== 'value' || typeof pattern.args !== 'string')
            return fail('the pattern of matches() must be written out as a text', pattern ?? node);
          try {
            boundedPattern(pattern.args);
          } catch (cause) {
            fail((cause as RangeError).message, pattern);
          }
        }
        if (RENAMED.has(name)) set(node, [RENAMED.get(name)!, receiver, args]);
        break;
      }
      case '?:':
        set(
          node,
          node.args.map((branch, index) => (index > 0 && isNull(branch) ? dynamicNull() : branch)),
        );
        break;
      default:
    }
    for (const child of children(node)) visit(child, loops);
  };
  visit(ast, 0);
  return { inputs: [...inputs].sort((a, b) => a - b) };
}

/** The literal as it is written, since a double would have lost digits; whole numbers may be hexadecimal, and are exact anyway. */
function decimalOf(node: ASTNode, source: string, fail: (message: string, node: ASTNode) => never): Decimal {
  const value: unknown = node.args;
  if (typeof value === 'bigint') return Decimal.of(value);
  try {
    return Decimal.parse(source.slice(node.start, node.end));
  } catch (cause) {
    return fail((cause as RangeError).message, node);
  }
}

/** Name of a column's field in `row`. */
export function fieldName(index: number): string {
  return `c${index}`;
}

/** Starts of the number literals that stand directly beside a decimal, where the check failed: they are meant as decimals. */
export function literalsBeside(node: ASTNode): number[] {
  switch (node.op) {
    case 'value':
      return typeof node.args === 'number' || typeof node.args === 'bigint' ? [node.start] : [];
    case '-_':
      return literalsBeside(node.args);
    case '?:':
      return node.args.slice(1).flatMap(literalsBeside);
    case 'list':
      return node.args.flatMap(literalsBeside);
    case 'in':
      return literalsBeside(node.args[1]);
    case '==':
    case '!=':
    case '<':
    case '<=':
    case '>':
    case '>=':
    case '+':
    case '-':
    case '*':
    case '/':
    case '%':
      return node.args.flatMap((child) =>
        child.op === 'value' || child.op === '-_' || ARITHMETIC.has(child.op) || child.op === '?:'
          ? literalsBeside(child)
          : [],
      );
    default:
      return [];
  }
}

/** The CEL type of a checked expression, a branch that is `null` left out of account. */
export function typeOf(node: ASTNode, checkedType: string): string {
  if (node.op !== '?:') return checkedType;
  const types = node.args
    .slice(1)
    .filter((branch) => !isDynamicNull(branch))
    .map((branch) => typeOf(branch, (branch as { checkedType?: { name: string } }).checkedType?.name ?? 'dyn'));
  return types.every((type) => type === types[0]) ? (types[0] ?? 'dyn') : 'dyn';
}

function children(node: ASTNode): readonly ASTNode[] {
  switch (node.op) {
    case 'value':
    case 'id':
      return [];
    case '.':
    case '.?':
      return [node.args[0]];
    case 'call':
      return node.args[1];
    case 'rcall':
      return [node.args[1], ...node.args[2]];
    case 'map':
      return node.args.flat();
    case '!_':
    case '-_':
      return [node.args];
    default:
      return node.args;
  }
}

function set(node: ASTNode, args: unknown): void {
  (node as { args: unknown }).args = args;
}

export function isRow(node: ASTNode): boolean {
  return node.op === 'id' && node.args === 'row';
}

function isNull(node: ASTNode): boolean {
  return node.op === 'value' && node.args === null;
}

/** `dyn(null)`, whose type fits any other: in CEL the two branches of `?:` must be of one type. */
function dynamicNull(): ASTNode {
  return parse('dyn(null)').ast;
}

function isDynamicNull(node: ASTNode): boolean {
  return node.op === 'call' && node.args[0] === 'dyn' && node.args[1].length === 1 && isNull(node.args[1][0]!);
}
