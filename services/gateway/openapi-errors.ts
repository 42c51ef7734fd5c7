import { errorKinds, type ErrorCode } from '#schemas/errors.ts';
import { errorsOf } from './route-errors.ts';

type Json = Record<string, unknown>;
interface Media extends Json {
  schema?: Json;
  example?: unknown;
}
interface Operation extends Json {
  parameters?: unknown[];
  requestBody?: { content: Record<string, Media> };
  responses: Record<string, { description?: string; content?: Record<string, Media> }>;
}

const methods = ['get', 'post', 'patch', 'delete'] as const;
/** Health answers in a form of its own. */
const isHealth = (path: string): boolean => path.startsWith('/health') || path === '/api/sync/health';

/**
 * Completes the document that the schemas give: for each status the codes that it may carry, with an example of each, in place of "4XX"
 * and "5XX"; examples of bodies and answers where their schemas have one; lists as tables.
 */
export function completeDocument<Document extends object>(document: Document): Document {
  const paths = ((document as { paths?: Record<string, Record<string, Operation>> }).paths ??= {});
  let envelope: Json | undefined;
  for (const [path, operations] of Object.entries(paths)) {
    for (const method of methods) {
      const operation = operations[method];
      if (!operation) continue;
      const general = operation.responses['4XX']?.content?.['application/json']?.schema;
      envelope ??= general;
      delete operation.responses['4XX'];
      delete operation.responses['5XX'];
      for (const { content } of [operation.requestBody, ...Object.values(operation.responses)].filter(
        (part) => !!part,
      )) {
        if (content) addExamples(content);
      }
      if (!isHealth(path)) addErrors(operation, method.toUpperCase(), path.replace(/\{(\w+)\}/g, ':$1'));
      if (hasFormat(operation)) operation.responses['200']!.content!['text/csv'] = { schema: { type: 'string' } };
    }
  }
  if (envelope) {
    const components = ((document as { components?: Json }).components ??= {});
    components['schemas'] = { ...(components['schemas'] as Json | undefined), Error: envelope };
  }
  return document;
}

const hasFormat = ({ parameters = [] }: Operation): boolean =>
  (parameters as { name?: string; schema?: { enum?: string[] } }[]).some(
    ({ name, schema }) => name === 'format' && schema?.enum?.includes('csv') && !schema.enum.includes('html'),
  );

function addErrors(operation: Operation, method: string, url: string): void {
  const { parameters = [], requestBody } = operation;
  const byStatus = new Map<number, ErrorCode[]>();
  for (const code of errorsOf(method, url, { reads: parameters.length > 0, body: requestBody !== undefined })) {
    const { status } = errorKinds[code];
    byStatus.set(status, [...(byStatus.get(status) ?? []), code]);
  }
  for (const [status, codes] of byStatus) {
    operation.responses[String(status)] = {
      description: codes.map((code) => `\`${code}\`: ${errorKinds[code].fix}`).join('\n\n'),
      content: {
        'application/json': {
          schema: { $ref: '#/components/schemas/Error' },
          examples: Object.fromEntries(codes.map((code) => [code, { value: exampleOf(code) }])),
        },
      },
    };
  }
}

const exampleOf = (code: ErrorCode) => ({
  error: {
    code,
    message: 'What went wrong, naming the thing',
    fix: errorKinds[code].fix,
    details: {},
    request_id: '0198a1f2-6c1e-7c55-b7d1-0f8f3a2e7f10',
  },
});

function addExamples(content: Record<string, Media>): void {
  const media = content['application/json'];
  if (!media?.schema || media.example !== undefined) return;
  const example = exampleIn(media.schema);
  if (example !== undefined) media.example = example;
}

/** Its own, that of one of its forms, or a list of one item. */
function exampleIn(schema: Json): unknown {
  if (schema['example'] !== undefined) return schema['example'];
  const forms = (schema['anyOf'] ?? schema['oneOf']) as Json[] | undefined;
  const form = forms?.map(exampleIn).find((each) => each !== undefined);
  if (form !== undefined) return form;
  const items = (schema['properties'] as Record<string, Json> | undefined)?.['items']?.['items'] as Json | undefined;
  const item = items && exampleIn(items);
  return item === undefined ? undefined : { items: [item], next_cursor: null };
}
