import { z } from 'zod';
import { connectorNames, loadConnector } from '#connectors/registry.ts';
import { applyFile } from '#schemas/apply.ts';

interface Node {
  [name: string]: unknown;
}

/** The JSON Schema of the file that `apply` reads, for editors: with the fields of every connector's connection. */
export async function applyFileSchema(): Promise<object> {
  const schema = z.toJSONSchema(applyFile, { io: 'input' }) as Node;
  const connections: unknown[] = [];
  for (const name of connectorNames) {
    const connection = z.toJSONSchema((await loadConnector(name)).settings, { io: 'input' }) as Node;
    delete connection['$schema'];
    connections.push({ title: name, ...connection });
  }
  const described = withConnections(schema, connections) as Node;
  return {
    ...described,
    title: 'Systems and pairs of TerraFusion Sync',
    description: 'Applied with `terrafusion apply <file>`.',
  };
}

/** A copy in which every property "connection" takes what some connector takes. */
function withConnections(node: unknown, connections: readonly unknown[]): unknown {
  if (Array.isArray(node)) return node.map((item) => withConnections(item, connections));
  if (typeof node !== 'object' || node === null) return node;
  return Object.fromEntries(
    Object.entries(node).map(([name, value]) => {
      if (name !== 'properties') return [name, withConnections(value, connections)];
      const properties = Object.entries(value as Node).map(([property, schema]) =>
        property === 'connection'
          ? [property, { ...pick(schema as Node), anyOf: connections }]
          : [property, withConnections(schema, connections)],
      );
      return [name, Object.fromEntries(properties)];
    }),
  );
}

const pick = ({ description }: Node): Node => (description === undefined ? {} : { description });
