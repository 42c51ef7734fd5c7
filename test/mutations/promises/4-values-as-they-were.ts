import type { Broken } from '../mutation.ts';

export const promise4: Broken = {
  promise: 4,
  mutations: [
    {
      name: 'unchanged-becomes-null',
      stage: 'reader',
      mistake: 'A large value that an update has left alone arrives as NULL.',
      file: 'connectors/postgres/source/pgoutput.ts',
      find: 'else if (kind === 0x75) writer.unchangedCell();',
      replace: 'else if (kind === 0x75) writer.nullCell();',
      test: 'test/unit/connectors/postgres/source/pgoutput.test.ts',
      title: 'inserts, updates and deletes with every kind of old row',
    },
    {
      name: 'relation-cache-is-not-refreshed',
      stage: 'reader',
      mistake: 'A table that is announced in another shape keeps its first one.',
      file: 'connectors/postgres/source/relations.ts',
      find: 'if (known !== undefined && sameShape(known.table, table)) return;',
      replace: 'if (known !== undefined) return;',
      test: 'test/unit/connectors/postgres/source/pgoutput.test.ts',
      title: 'a table whose shape changes is in the block twice',
    },
    {
      name: 'session-prints-as-the-role-likes',
      stage: 'reader',
      mistake: 'Floats are printed with as many digits as database or role have set.',
      file: 'connectors/postgres/connection.ts',
      find: "  extra_float_digits: '3',\n",
      replace: '',
      test: 'test/conformance/postgres-source.test.ts',
      title: 'through the stream and through the snapshot',
    },
    {
      name: 'large-numbers-lose-bits',
      stage: 'reader',
      mistake: 'Numbers of a block are written wrongly from 2^30 on: commit positions, times.',
      file: 'schemas/block/wire.ts',
      find: 'buf[pos++] = ((low >>> 14) & 0x7f) | 0x80;',
      replace: 'buf[pos++] = ((low >>> 15) & 0x7f) | 0x80;',
      test: 'test/unit/schemas/block/wire.test.ts',
    },
    {
      name: 'unchanged-is-computed-anew',
      stage: 'stream processor',
      mistake: 'A column that is made of an unsent value is written as if the value were known.',
      file: 'services/stream-processor/rewriter.ts',
      find: 'if (step.inputs.length > 0 && step.inputs.every((input) => row.isUnchanged(input))) {\n      texts[index] = undefined;',
      replace:
        'if (step.inputs.length > 0 && step.inputs.every((input) => row.isUnchanged(input))) {\n      texts[index] = null;',
      test: 'test/unit/services/stream-processor/processor.test.ts',
      title: 'stays unsent, alone and in what is made of it alone',
    },
    {
      name: 'decimals-are-doubles',
      stage: 'stream processor',
      mistake: 'Exact numbers are compared as floating point numbers.',
      file: 'services/stream-processor/expressions/decimal.ts',
      find: `    const [a, b] = [this.#at(scale), other.#at(scale)];
    return a < b ?`,
      replace: `    const [a, b] = [Number(this.#at(scale)), Number(other.#at(scale))];
    return a < b ?`,
      test: 'test/unit/services/stream-processor/expressions/decimal.test.ts',
    },
    {
      name: 'unchanged-does-not-keep-the-older-value',
      stage: 'writer',
      mistake: 'Of two changes to a row in a batch, the second one loses what only the first one had sent.',
      file: 'connectors/postgres/target/rows.ts',
      find: 'const older_ = over.kind === Cell.unchanged && (only === undefined || only[cell] === 1);',
      replace: 'const older_ = over.kind === Cell.unchanged && only?.[cell] === 1;',
      test: 'test/unit/connectors/postgres/target/reduction.test.ts',
    },
    {
      name: 'unsent-value-is-copied-as-null',
      stage: 'writer',
      mistake: 'COPY writes NULL for a value that was not sent.',
      file: 'connectors/postgres/target/copy-lines.ts',
      find: '    } else throw noValue(kind);\n',
      replace: `    } else {
      buf[pos++] = BACKSLASH;
      buf[pos++] = N;
    }
`,
      test: 'test/unit/connectors/postgres/target/copy-lines.test.ts',
      title: 'a cell without its value is never written',
    },
    {
      name: 'changed-key-leaves-the-old-row',
      stage: 'writer',
      mistake: 'A changed key inserts the new row and leaves the old one.',
      file: 'connectors/postgres/target/table-changes.ts',
      find: '    this.#delete(oldKey, change.source, change.beforeAt);\n    return this.#insert',
      replace: '    return this.#insert',
      test: 'test/unit/connectors/postgres/target/reduction.test.ts',
    },
    {
      name: 'delete-does-not-beat-an-insert',
      stage: 'writer',
      mistake: 'A row that is inserted and deleted in one batch is inserted.',
      file: 'connectors/postgres/target/table-changes.ts',
      find: 'this.state[entry] === State.insert ? State.gone : State.delete;',
      replace: 'this.state[entry] === State.insert ? State.insert : State.delete;',
      test: 'test/unit/connectors/postgres/target/reduction.test.ts',
    },
    {
      name: 'another-width-is-no-news',
      stage: 'schema gate',
      mistake: 'A column that has become wider at the source is not widened at the target.',
      file: 'services/writer/schema-gate.ts',
      find: 'return column.name !== name || column.type_oid !== typeOid || column.typmod !== typmod || column.key !== key;',
      replace: 'return column.name !== name || column.type_oid !== typeOid || column.key !== key;',
      test: 'test/unit/services/writer/schema-gate.test.ts',
      title: 'a table that the stream announces in another shape',
    },
  ],
};
