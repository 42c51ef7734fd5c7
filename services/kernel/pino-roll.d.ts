/** pino-roll brings no types; this is what is used of it. */
declare module 'pino-roll' {
  import type { EventEmitter } from 'node:events';

  interface RollingFile extends EventEmitter {
    /** The file being written. */
    readonly file: string;
    write(line: string): boolean;
    flushSync(): void;
    end(): void;
  }

  interface RollOptions {
    readonly file: string;
    readonly frequency: 'daily';
    readonly dateFormat: string;
    readonly mkdir: boolean;
    readonly sync: boolean;
    readonly limit: { readonly count: number; readonly removeOtherLogFiles: boolean };
  }

  export default function roll(options: RollOptions): Promise<RollingFile>;
}
