import type { Broken } from '../mutation.ts';

export const promise3: Broken = {
  promise: 3,
  mutations: [
    {
      name: 'half-a-transaction-is-committed',
      stage: 'writer',
      mistake: 'The target commits where a block ends, also within a source transaction.',
      file: 'connectors/postgres/target/writer.ts',
      find: 'return ordinal === LAST_ORDINAL || ordinal < 0;',
      replace: 'return ordinal <= LAST_ORDINAL;',
      test: 'test/conformance/postgres-target-faults.test.ts',
      title: 'shows nothing before its end',
    },
    {
      name: 'position-outside-the-transaction',
      stage: 'writer',
      mistake: 'The position is committed ahead of its rows, in a transaction of its own.',
      file: 'connectors/postgres/target/writer.ts',
      find: '    else this.#advance(batch);\n',
      replace: `    else {
      this.#advance(batch);
      this.#pipeline.run('COMMIT');
      this.#pipeline.run(BEGIN);
    }
`,
      test: 'test/conformance/postgres-target-faults.test.ts',
      title: 'at the last moment, when rows and position are written: neither stays',
    },
    {
      name: 'altered-outside-the-transaction',
      stage: 'schema gate',
      mistake: 'Tables are altered ahead of the rows that need it, in a transaction of their own.',
      file: 'connectors/postgres/target/writer.ts',
      find: '    this.#book.forget();\n',
      replace: `    this.#pipeline.run('COMMIT');
    this.#pipeline.run(BEGIN);
    this.#book.forget();
`,
      test: 'test/conformance/postgres-target-evolution.test.ts',
    },
    {
      name: 'end-of-a-slice-is-lost',
      stage: 'stream processor',
      mistake: 'The first slice of a transaction is marked as its end.',
      file: 'services/stream-processor/compile.ts',
      find: 'writer.endTransaction(block.complete, block.end.ordinal);',
      replace: 'writer.endTransaction(true, block.end.ordinal);',
      test: 'test/unit/services/stream-processor/processor.test.ts',
      title: 'keeps the end of a slice of a transaction',
    },
    {
      name: 'slice-ends-a-transaction',
      stage: 'reader',
      mistake: 'A block that is closed within a transaction says that the transaction ends there.',
      file: 'connectors/postgres/source/pgoutput.ts',
      find: 'writer.endTransaction(false, lastOrdinal);',
      replace: 'writer.endTransaction(true, lastOrdinal);',
      test: 'test/unit/connectors/postgres/source/pgoutput.test.ts',
      title: 'blocks follow on each other',
    },
    {
      name: 'chunk-in-two-transactions',
      stage: 'loader',
      mistake: 'Rows and note of a chunk are committed one after the other.',
      file: 'connectors/postgres/target/load-session.ts',
      find: `    this.#endCopy();
    this.#pipeline.run(\`SELECT \${SCHEMA}.finish_chunk_1(`,
      replace: `    this.#endCopy();
    this.#pipeline.run('COMMIT');
    this.#pipeline.run('BEGIN');
    this.#pipeline.run(\`SELECT \${SCHEMA}.finish_chunk_1(`,
      test: 'test/conformance/postgres-target-load.test.ts',
      title: 'a chunk that is not waiting any more leaves no rows',
    },
  ],
};
