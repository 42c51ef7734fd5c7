import type { SchemaStep } from '#connectors/contract/target.ts';
import type { SourceTable } from '#schemas/source-tables.ts';
import { quoteLiteral } from '../../identifiers.ts';

/** New labels and new names of labels of the enums that a table uses. A label's oid stays when it is renamed; none can be dropped. */
export function planEnums(before: SourceTable | undefined, after: SourceTable): SchemaStep[] {
  if (!before) return [];
  const steps: SchemaStep[] = [];
  const known = new Map(before.enums.map((each) => [each.type, each]));
  for (const { type, labels } of after.enums) {
    const old = known.get(type);
    if (!old) continue;
    const names = new Map(old.labels.map(({ oid, label }) => [oid, label]));
    for (const { oid, label } of labels) {
      const name = names.get(oid);
      if (name === undefined || name === label) continue;
      steps.push({
        kind: 'additive',
        what: `Label ${name} of enum ${type} is called ${label} at the source`,
        sql: [
          unlessThere(type, label, `ALTER TYPE ${type} RENAME VALUE ${quoteLiteral(name)} TO ${quoteLiteral(label)}`),
        ],
      });
    }
    for (const [place, { oid, label }] of labels.entries()) {
      if (names.has(oid)) continue;
      const previous = labels[place - 1];
      // In their order: the one before is there by now. Before the first there is only the first of the old ones.
      const next = labels.find((other) => names.has(other.oid));
      const where = previous
        ? ` AFTER ${quoteLiteral(previous.label)}`
        : next
          ? ` BEFORE ${quoteLiteral(next.label)}`
          : '';
      steps.push({
        kind: 'additive',
        what: `Label ${label} was added to enum ${type} at the source`,
        sql: [`ALTER TYPE ${type} ADD VALUE IF NOT EXISTS ${quoteLiteral(label)}${where}`],
      });
    }
  }
  return steps;
}

/** Several tables, and several pairs, may use one enum: it is altered once. */
function unlessThere(type: string, label: string, sql: string): string {
  const body = `BEGIN IF NOT EXISTS (SELECT FROM pg_enum WHERE enumtypid = ${quoteLiteral(type)}::regtype AND enumlabel = ${quoteLiteral(label)}) THEN ${sql}; END IF; END`;
  return `DO ${quoteLiteral(body)}`;
}
