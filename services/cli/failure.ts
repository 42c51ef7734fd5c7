import { TerraFusionError } from '#schemas/errors.ts';
import { maskFields, maskText } from '#services/kernel/masking.ts';
import { exitCodeOf, exitCodes } from './exit-codes.ts';
import type { Terminal } from './output.ts';
import { printable } from './text.ts';
import { UsageError } from './usage.ts';

/** Does what a command does and sets the exit code; what goes wrong is told, as JSON where JSON was asked for. A defect is thrown on. */
export async function telling(terminal: Terminal, asJson: boolean, work: () => Promise<number>): Promise<void> {
  try {
    process.exitCode = await work();
  } catch (error) {
    if (error instanceof UsageError) {
      process.exitCode = exitCodes.USAGE;
      terminal.err(`${error.message}\n`);
    } else if (error instanceof TerraFusionError) {
      process.exitCode = exitCodeOf(error);
      terminal.err(asJson ? errorAsJson(error) : errorText(error));
    } else throw error;
  }
}

/** What is wrong, and what to do about it. (Promise 8: messages of others are masked.) */
function errorText(error: TerraFusionError): string {
  const request = error.details['request_id'];
  const message = maskText(error.message).split('\n').map(printable).join('\n');
  return [
    `${error.code}: ${message}`,
    printable(error.fix),
    ...(typeof request === 'string' && error.code === 'INTERNAL' ? [`Request ${printable(request)}`] : []),
    '',
  ].join('\n');
}

/** In the envelope of the API, so that a script reads both alike. */
function errorAsJson({ code, message, fix, details }: TerraFusionError): string {
  const { request_id = null, ...rest } = details;
  const error = { code, message: maskText(message), fix, details: maskFields(rest), request_id };
  return `${JSON.stringify({ error })}\n`;
}
