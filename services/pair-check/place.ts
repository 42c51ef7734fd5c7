import type { Connector } from '#connectors/contract/connector.ts';
import { loadConnector } from '#connectors/registry.ts';
import type { Control } from '#services/control/control.ts';
import type { OtherPair, Surroundings } from './overlap.ts';

/** A system's connection, opened for its connector. */
export interface Connection {
  readonly connector: Pick<Connector, 'name' | 'secretFields'>;
  readonly settings: Readonly<Record<string, unknown>>;
}

/**
 * A text that is equal for connections to the same place, whoever logs in. Told by the connections as they are stored: the same
 * server by another name is the operator's secret.
 */
export function placeOf({ connector, settings }: Connection): string {
  const aside = new Set([...connector.secretFields, 'password_file', 'application_name']);
  const told = Object.entries(settings)
    .filter(([name]) => !aside.has(name) && !name.startsWith('ssl_'))
    .map(([name, value]) => [name, name === 'url' && typeof value === 'string' ? withoutLogin(value) : value])
    .sort(([a], [b]) => (String(a) < String(b) ? -1 : 1));
  return JSON.stringify([connector.name, told]);
}

function withoutLogin(text: string): string {
  try {
    const url = new URL(text);
    // A host given as parameter says where; the others say how.
    const where = ['host', 'port', 'dbname'].map((name) => url.searchParams.get(name) ?? '');
    const path = url.pathname === '' || url.pathname === '/' ? `/${url.username}` : url.pathname;
    return [url.hostname.toLowerCase(), url.port === '' ? '5432' : url.port, path, ...where].join(' ');
  } catch {
    return text;
  }
}

/** The other pairs of the installation, and where they read and write. @param except the pair's own id, once it has one */
export async function surroundingsOf(
  { pairs, systems }: Pick<Control, 'pairs' | 'systems'>,
  source: Connection,
  target: Connection,
  except?: string,
): Promise<Surroundings> {
  const places = new Map<string, string>();
  const placeOfSystem = async (id: string): Promise<string> => {
    let place = places.get(id);
    if (place === undefined) {
      try {
        const { connector, settings } = await systems.connectionOf(id);
        place = placeOf({ connector: await loadConnector(connector), settings });
      } catch {
        // What is wrong with another pair's system is told there; it equals itself and nothing else.
        place = `system ${id}`;
      }
      places.set(id, place);
    }
    return place;
  };
  const others: OtherPair[] = [];
  for (const pair of await pairs.all()) {
    if (pair.deleted || pair.id === except) continue;
    others.push({
      name: pair.name,
      source: await placeOfSystem(pair.sourceId),
      target: await placeOfSystem(pair.targetId),
      tables: pair.definition.tables,
    });
  }
  return { source: placeOf(source), target: placeOf(target), others };
}
