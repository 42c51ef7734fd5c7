import { z } from 'zod';
import { pairInput } from './pairs.ts';
import { systemInput } from './systems.ts';

/**
 * Systems and pairs as an operator keeps them in a file beside his code: `terrafusion apply` makes a gateway so. What is left out of a
 * system or pair has its default, as in the API.
 */
export const systemEntry = systemInput
  .omit({ connection: true })
  .extend({
    connection: z
      .record(z.string(), z.unknown())
      .describe(
        'How to reach it; the connector says which fields it takes. ${NAME} in its texts is replaced by the environment variable of this name, $${NAME} stands for ${NAME}.',
      ),
  })
  .strict();
export type SystemEntry = z.output<typeof systemEntry>;

export const pairEntry = pairInput
  .omit({ start: true })
  .extend({
    desired: z
      .enum(['running', 'paused'])
      .optional()
      .describe('Left out: a new pair is made paused, one that is there stays as it is.'),
  })
  .strict();
export type PairEntry = z.output<typeof pairEntry>;

export const applyFile = z
  .strictObject({
    $schema: z.string().optional().describe('For editors.'),
    version: z.literal(1).default(1).describe('Of this form.'),
    systems: z.array(systemEntry).max(10_000).optional().describe('Left out: the file is not about systems.'),
    pairs: z.array(pairEntry).max(10_000).optional().describe('Left out: the file is not about pairs.'),
  })
  .superRefine(({ systems = [], pairs = [] }, context) => {
    for (const [list, entries] of [
      ['systems', systems],
      ['pairs', pairs],
    ] as const) {
      const seen = new Set<string>();
      for (const [index, { name }] of entries.entries()) {
        if (seen.has(name))
          context.addIssue({ code: 'custom', path: [list, index, 'name'], message: `"${name}" stands here twice` });
        seen.add(name);
      }
    }
  });
export type ApplyFile = z.output<typeof applyFile>;
