import { parseArgs } from 'node:util';

export interface Options {
  readonly workloads: readonly string[];
  readonly pairs: number | undefined;
  readonly rows: number | undefined;
  readonly rate: number | undefined;
  readonly seconds: number | undefined;
  readonly minutes: number;
  readonly sides: readonly string[] | undefined;
  readonly variants: readonly string[] | undefined;
  readonly control: boolean;
  readonly profile: boolean;
}

/** What the command line says. Left out is what the workload knows better. */
export function readOptions(args: readonly string[]): Options {
  const { values, positionals } = parseArgs({
    args: [...args],
    allowPositionals: true,
    options: {
      pairs: { type: 'string' },
      rows: { type: 'string' },
      rate: { type: 'string' },
      seconds: { type: 'string' },
      minutes: { type: 'string', default: '60' },
      sides: { type: 'string' },
      variants: { type: 'string' },
      control: { type: 'boolean', default: false },
      profile: { type: 'boolean', default: false },
    },
  });
  const number = (name: 'pairs' | 'rows' | 'rate' | 'seconds' | 'minutes'): number | undefined => {
    const text = values[name];
    if (text === undefined) return undefined;
    const value = Number(text.replaceAll('_', ''));
    if (!(value > 0)) throw new Error(`--${name} takes a number greater than 0, not ${text}`);
    return value;
  };
  return {
    workloads: positionals,
    pairs: number('pairs'),
    rows: number('rows'),
    rate: number('rate'),
    seconds: number('seconds'),
    minutes: number('minutes')!,
    sides: values.sides?.split(','),
    variants: values.variants?.split(','),
    control: values.control,
    profile: values.profile,
  };
}
