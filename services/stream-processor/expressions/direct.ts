import type { ASTNode } from '@marcbachmann/cel-js';
import type { CelValue, ValueKind } from '../values.ts';
import { isRow } from './ast.ts';
import { Decimal } from './decimal.ts';

/** Reads a column that is not NULL, as what its kind says. */
export type Read = (column: number) => CelValue;
type Run = (read: Read) => CelValue;

type DirectType = 'int' | 'decimal' | 'string' | 'bool';

interface Direct {
  readonly type: DirectType;
  readonly run: Run;
}

const typesByKind: Readonly<Record<ValueKind, DirectType | undefined>> = {
  int: 'int',
  decimal: 'decimal',
  money: 'decimal',
  string: 'string',
  bool: 'bool',
  // NaN, and bytes that are equal without being the same, are the library's.
  double: undefined,
  bytes: undefined,
};

/**
 * What most filters and rules are made of (columns, literals, comparisons, sums of decimals, and, or, not, ?:) as functions of JavaScript, for rows without
 * NULL: a third of what it costs to let the library walk the tree. It gives the same as the library, errors included, or is not there.
 *
 * @param node as `prepare` left it, checked
 * @returns undefined when there is something else in it
 */
export function compileDirect(node: ASTNode, kinds: readonly ValueKind[]): Run | undefined {
  return compile(node, kinds)?.run;
}

function compile(node: ASTNode, kinds: readonly ValueKind[]): Direct | undefined {
  switch (node.op) {
    case 'value':
      return literal(node.args);
    case '.':
      return isRow(node.args[0]) ? column(node.args[1], kinds) : undefined;
    case '[]': {
      const [of, key] = node.args;
      return isRow(of) && key.op === 'value' ? column(key.args as string, kinds) : undefined;
    }
    case '!_': {
      const of = compile(node.args, kinds);
      return of?.type === 'bool' ? { type: 'bool', run: (read) => of.run(read) !== true } : undefined;
    }
    case '-_': {
      const { args } = node.args;
      // A literal; of a column's value the smallest one has no opposite.
      if (node.args.op === 'value' && typeof args === 'bigint') return literal(-args);
      const of = compile(node.args, kinds);
      return of?.type === 'decimal'
        ? { type: 'decimal', run: (read) => (of.run(read) as Decimal).negate() }
        : undefined;
    }
    case '&&':
    case '||': {
      const [left, right] = pair(node.args, kinds);
      if (left?.type !== 'bool' || right?.type !== 'bool') return undefined;
      return { type: 'bool', run: logical(left.run, right.run, node.op === '||') };
    }
    case '?:': {
      const [condition, yes, no] = node.args.map((each) => compile(each, kinds));
      if (condition?.type !== 'bool' || !yes || yes.type !== no?.type) return undefined;
      const { run: test } = condition;
      return { type: yes.type, run: (read) => (test(read) === true ? yes.run(read) : no.run(read)) };
    }
    case '==':
    case '!=': {
      const equal = equality(...pair(node.args, kinds));
      if (!equal) return undefined;
      return { type: 'bool', run: node.op === '==' ? equal : (read) => !equal(read) };
    }
    case '<':
    case '<=':
    case '>':
    case '>=': {
      const run = order(node.op, ...pair(node.args, kinds));
      return run && { type: 'bool', run };
    }
    case '+':
    case '-':
    case '*':
      return arithmetic(node.op, ...pair(node.args, kinds));
    default:
      return undefined;
  }
}

type Pair = readonly [Direct | undefined, Direct | undefined];

function pair([left, right]: readonly ASTNode[], kinds: readonly ValueKind[]): Pair {
  return [compile(left!, kinds), compile(right!, kinds)];
}

function literal(value: unknown): Direct | undefined {
  const run = (): CelValue => value as CelValue;
  if (value instanceof Decimal) return { type: 'decimal', run };
  if (typeof value === 'bigint') return { type: 'int', run };
  if (typeof value === 'string') return { type: 'string', run };
  return typeof value === 'boolean' ? { type: 'bool', run } : undefined;
}

function column(field: string, kinds: readonly ValueKind[]): Direct | undefined {
  const index = Number(field.slice(1));
  const type = typesByKind[kinds[index]!];
  return type && { type, run: (read) => read(index) };
}

/** @param decided the value of one side that decides alone: what the other one fails with is then of no account */
function logical(left: Run, right: Run, decided: boolean): Run {
  return (read) => {
    let first: CelValue;
    try {
      first = left(read);
    } catch (error) {
      if (right(read) === decided) return decided;
      throw error;
    }
    return first === decided ? decided : right(read);
  };
}

function equality(left: Direct | undefined, right: Direct | undefined): ((read: Read) => boolean) | undefined {
  if (!left || !right) return undefined;
  if (left.type === right.type && left.type !== 'decimal') return (read) => left.run(read) === right.run(read);
  const [a, b] = [asDecimal(left), asDecimal(right)];
  return a && b && ((read) => a(read).compare(b(read)) === 0);
}

function order(
  op: '<' | '<=' | '>' | '>=',
  left: Direct | undefined,
  right: Direct | undefined,
): ((read: Read) => boolean) | undefined {
  if (!left || !right) return undefined;
  if (left.type === 'int' && right.type === 'int') {
    const [a, b] = [left.run as (read: Read) => bigint, right.run as (read: Read) => bigint];
    switch (op) {
      case '<':
        return (read) => a(read) < b(read);
      case '<=':
        return (read) => a(read) <= b(read);
      case '>':
        return (read) => a(read) > b(read);
      case '>=':
        return (read) => a(read) >= b(read);
    }
  }
  const [a, b] = [asDecimal(left), asDecimal(right)];
  if (!a || !b) return undefined;
  switch (op) {
    case '<':
      return (read) => a(read).compare(b(read)) < 0;
    case '<=':
      return (read) => a(read).compare(b(read)) <= 0;
    case '>':
      return (read) => a(read).compare(b(read)) > 0;
    case '>=':
      return (read) => a(read).compare(b(read)) >= 0;
  }
}

/** With a decimal on one side at least: those of ints may overflow, which the library knows how to tell. */
function arithmetic(op: '+' | '-' | '*', left: Direct | undefined, right: Direct | undefined): Direct | undefined {
  if (!left || !right || (left.type !== 'decimal' && right.type !== 'decimal')) return undefined;
  const [a, b] = [asDecimal(left), asDecimal(right)];
  if (!a || !b) return undefined;
  switch (op) {
    case '+':
      return { type: 'decimal', run: (read) => a(read).plus(b(read)) };
    case '-':
      return { type: 'decimal', run: (read) => a(read).minus(b(read)) };
    case '*':
      return { type: 'decimal', run: (read) => a(read).times(b(read)) };
  }
}

function asDecimal({ type, run }: Direct): ((read: Read) => Decimal) | undefined {
  if (type === 'decimal') return run as (read: Read) => Decimal;
  return type === 'int' ? (read) => Decimal.of(run(read) as bigint) : undefined;
}
