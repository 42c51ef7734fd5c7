/** How a suite's title tells why it cannot run here: `describeUnless` writes it, the closing line's reporter reads it. */
export const withReason = (title: string, missing: string): string => `${title} [skipped, since ${missing}]`;

export const reasonIn = (title: string): string | undefined => /\[skipped, since (.+)\]$/.exec(title)?.[1];
