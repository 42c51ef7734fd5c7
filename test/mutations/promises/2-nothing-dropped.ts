import type { Broken } from '../mutation.ts';

export const promise2: Broken = {
  promise: 2,
  mutations: [
    {
      name: 'resume-beyond-what-is-stored',
      stage: 'reader',
      mistake: 'A slot that stands beyond the stored changes is gone on with, over the gap.',
      file: 'connectors/postgres/source/resume.ts',
      find: 'if (mark === 2n && !partial) return { from: after, start: confirmed };',
      replace: 'if (!partial) return { from: after, start: confirmed };',
      test: 'test/unit/connectors/postgres/source/resume.test.ts',
    },
    {
      name: 'half-held-transaction-is-skipped',
      stage: 'reader',
      mistake: 'Of a transaction that was half stored the other half is left out when it is sent again.',
      file: 'connectors/postgres/source/pgoutput.ts',
      find: 'this.#skipThrough = this.#commitLsn < commitLsn ?',
      replace: 'this.#skipThrough = this.#commitLsn <= commitLsn ?',
      test: 'test/unit/connectors/postgres/source/pgoutput.test.ts',
      title: 'going on after a restart',
    },
    {
      name: 'append-after-a-failed-one',
      stage: 'embedded bus',
      mistake: 'Appends that wait behind a refused one are stored: the topic has a hole.',
      file: 'services/kernel/bus/lmdb-writer.ts',
      find: `        this.#rejectAll(job.topic, refusal);
        continue;`,
      replace: `        this.#queue.shift();
        job.settle.reject(refusal);
        continue;`,
      test: 'test/unit/services/kernel/bus/lmdb.test.ts',
      title: 'a refused append takes those behind it along',
    },
    {
      name: 'kafka-append-after-a-failed-one',
      stage: 'Kafka bus',
      mistake: 'Appends that wait behind a failed one are stored, by its producer and in its place.',
      file: 'services/kernel/bus/kafka-appender.ts',
      find: 'for (const { settle } of this.#queue.splice(0)) settle.reject(error);',
      replace: 'for (const { settle } of this.#queue.splice(0, 1)) settle.reject(error);',
      test: 'test/unit/services/kernel/bus/kafka-appender.test.ts',
    },
    {
      name: 'kafka-read-skips-what-is-retained',
      stage: 'Kafka bus',
      mistake: 'A read from before the retained blocks begins behind the first of them.',
      file: 'services/kernel/bus/kafka-read.ts',
      find: 'if (offset < low) return low;',
      replace: 'if (offset < low) return low + 1n;',
      test: 'test/unit/services/kernel/bus/kafka-read.test.ts',
      title: 'goes on at the first block when earlier ones are gone',
    },
    {
      name: 'kafka-read-turns-an-answer-around',
      stage: 'Kafka bus',
      mistake: 'The blocks of one answer of the broker come in another order.',
      file: 'services/kernel/bus/kafka-read.ts',
      find: 'for (const block of fetched.blocks) {',
      replace: 'for (const block of fetched.blocks.toReversed()) {',
      test: 'test/unit/services/kernel/bus/kafka-read.test.ts',
      title: 'gives every block once',
    },
    {
      name: 'kafka-read-repeats-a-block',
      stage: 'Kafka bus',
      mistake: 'The fetch ahead begins with the last block of the one before.',
      file: 'services/kernel/bus/kafka-read.ts',
      find: 'ahead = fetch(last.offset + 1n);',
      replace: 'ahead = fetch(last.offset);',
      test: 'test/unit/services/kernel/bus/kafka-read.test.ts',
      title: 'gives every block once',
    },
    {
      name: 'refused-row-leaves-no-letter',
      stage: 'stream processor',
      mistake: 'A row that breaks a rule is left out, and nobody is told.',
      file: 'services/stream-processor/compile.ts',
      find: 'deadLetters.push(this.#reject(block, chain.plan, verdict));',
      replace: 'this.#reject(block, chain.plan, verdict);',
      test: 'test/unit/services/stream-processor/processor.test.ts',
      title: 'rules',
    },
    {
      name: 'letters-after-the-append',
      stage: 'stream processor',
      mistake: 'The output topic moves past a refused row before its dead letter is stored.',
      file: 'services/stream-processor/stage.ts',
      find: `    await storeDeadLetters(letters);
    crashPoint(crashPoints.PROCESSOR_DEAD_LETTERS_STORED_NOT_APPENDED);
  }
  await bus.append(
    output,
    batch.map(({ bytes }) => bytes),
  );
`,
      replace: `    crashPoint(crashPoints.PROCESSOR_DEAD_LETTERS_STORED_NOT_APPENDED);
  }
  await bus.append(
    output,
    batch.map(({ bytes }) => bytes),
  );
  if (letters.length > 0) await storeDeadLetters(letters);
`,
      test: 'test/unit/services/stream-processor/stage.test.ts',
      title: 'stores dead letters before the append',
    },
    {
      name: 'inline-letters-after-the-block',
      stage: 'stream processor',
      mistake: 'A block goes on to the writer while its dead letters are still being stored.',
      file: 'services/stream-processor/inline.ts',
      find: 'await storeDeadLetters(block.deadLetters);',
      replace: 'void storeDeadLetters(block.deadLetters).catch(() => undefined);',
      test: 'test/unit/services/stream-processor/inline.test.ts',
    },
    {
      name: 'resume-one-block-too-far',
      stage: 'stream processor',
      mistake: 'After a restart the input topic is read from one block behind the next one.',
      file: 'services/stream-processor/stage.ts',
      find: 'inputOffset + 1n, position: last };',
      replace: 'inputOffset + 2n, position: last };',
      test: 'test/unit/services/stream-processor/stage.test.ts',
      title: 'goes on after what its output holds',
    },
    {
      name: 'gap-in-the-topic-is-taken',
      stage: 'writer',
      mistake: 'A block that continues from behind what the target holds is applied all the same.',
      file: 'services/writer/batch.ts',
      find: 'if (order > 0) throw this.#gap(after);\n',
      replace: '',
      test: 'test/unit/services/writer/writer.test.ts',
      title: 'a gap in the topic',
    },
    {
      name: 'held-changes-are-applied-again',
      stage: 'writer',
      mistake: 'What the target holds of a block is not left out when the block comes again.',
      file: 'services/writer/batch.ts',
      find: 'const rest = order === 0 ? bytes : dropThrough(bytes, this.#position);',
      replace: 'const rest: Buffer | undefined = bytes;',
      test: 'test/unit/services/writer/writer.test.ts',
      title: 'what the target holds is skipped',
    },
    {
      name: 'letters-after-the-position',
      stage: 'writer',
      mistake: 'The target commits the position of a refused change before its dead letter is stored.',
      file: 'connectors/postgres/target/writer.ts',
      find: `    if (letters.length > 0) await reject(letters);
    const whole = isWhole(batch.last);
    if (whole) {
      this.#advance(batch);
      await this.#beforeCommit();
      this.#commit(batch);
      succeeded(await this.#pipeline.sync());
    }
`,
      replace: `    const whole = isWhole(batch.last);
    if (whole) {
      this.#advance(batch);
      await this.#beforeCommit();
      this.#commit(batch);
      succeeded(await this.#pipeline.sync());
    }
    if (letters.length > 0) await reject(letters);
`,
      test: 'test/conformance/postgres-target-constraints.test.ts',
      title: 'every row of a batch refused',
    },
    {
      name: 'refused-change-is-skipped',
      stage: 'writer',
      mistake: 'A change that the target refuses is left out, and nobody is told.',
      file: 'connectors/postgres/target/ordered-apply.ts',
      find: 'letters.push(this.#refused(tried[at]!, error));\n',
      replace: '',
      test: 'test/conformance/postgres-target-constraints.test.ts',
      title: 'every row of a batch refused',
    },
    {
      name: 'rolled-back-with-a-refused-one',
      stage: 'writer',
      mistake: 'What was rolled back with a change that the target refuses does not come again.',
      file: 'connectors/postgres/target/ordered-apply.ts',
      find: 'again = tried.slice(0, at);',
      replace: 'again = tried.slice(0, 0);',
      test: 'test/conformance/postgres-target-constraints.test.ts',
    },
    {
      name: 'constraint-is-looked-at-too-late',
      stage: 'writer',
      mistake:
        'A constraint that waits for the commit is never looked at change by change: the pair halts at a row that could be told.',
      file: 'services/writer/repetition.ts',
      find: "if (mode === 'immediate') return undefined;",
      replace: "if (mode === 'immediate' || mode.length > 'set'.length) return undefined;",
      test: 'test/unit/services/writer/writer.test.ts',
      title: 'with every constraint looked at at last',
    },
    {
      name: 'two-writers-of-one-pair',
      stage: 'writer',
      mistake: 'The position is moved from wherever it is: a writer that was left behind goes on.',
      file: 'connectors/postgres/target/bookkeeping.ts',
      find: 'AND epoch = of_epoch AND generation = from_generation AND commit_lsn = from_lsn AND ordinal = from_ordinal`;',
      replace: 'AND epoch = of_epoch`;',
      test: 'test/conformance/postgres-target-faults.test.ts',
      title: 'the one left behind is fenced off',
    },
    {
      name: 'new-table-is-not-told-of',
      stage: 'schema gate',
      mistake: 'Rows of a table that came after the load are left out, and nobody has the table loaded.',
      file: 'services/writer/schema-gate.ts',
      find: 'for (const state of states) if (isFollowable(state)) await this.#tellNew(state);\n',
      replace: '',
      test: 'test/unit/services/writer/schema-gate.test.ts',
      title: 'is told of before its first row is left out',
    },
    {
      name: 'high-watermark-too-early',
      stage: 'loader',
      mistake: 'The moment of a snapshot is taken before the snapshot: the stream is laid over too little.',
      file: 'connectors/postgres/source/snapshot.ts',
      find: `    await client.query('BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY');
`,
      replace: `    const early = await client.query<{ readonly until: string }>('SELECT pg_current_wal_insert_lsn() - 1000000 AS until');
    await client.query('BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY');
    if (early.rows.length === 1) {
      const { rows } = await client.query<{ readonly shown: string; readonly name: string }>(
        'SELECT pg_current_snapshot()::text AS shown, pg_export_snapshot() AS name',
      );
      return new PostgresSnapshot(client, context, settings, options, { ...rows[0]!, until: early.rows[0]!.until });
    }
`,
      test: 'test/conformance/postgres-source-snapshot.test.ts',
      title: 'shows all tables at one moment',
    },
    {
      name: 'snapshot-without-a-wait',
      stage: 'loader',
      mistake:
        'A transaction that has written before the snapshot and commits after it is in neither snapshot nor stream.',
      file: 'connectors/postgres/source/snapshot.ts',
      find: '    await waitForRunning(client, options.snapshotWaitMs, context);\n',
      replace: '',
      test: 'test/conformance/postgres-source-snapshot.test.ts',
      title: 'waits for transactions that were writing at the call',
    },
    {
      name: 'chunk-noted-before-its-copy',
      stage: 'loader',
      mistake: 'A chunk is noted as finished, and committed, before its rows are copied.',
      file: 'services/loader/copy.ts',
      find: `  session.begin(together);
  for (const [i, part] of parts.entries()) {
`,
      replace: `  session.begin(together);
  for (const [i, part] of parts.entries()) {
    session.finish({
      table: part.load.target,
      number: part.number,
      finished: { rows: 0, bytes: 0, snapshot: { until, shown } },
    });
    await session.commit();
    session.begin(together);
`,
      test: 'test/unit/services/loader/copy.test.ts',
    },
    {
      name: 'load-letters-after-the-rows',
      stage: 'loader',
      mistake: 'What a chain refuses of a chunk is stored while the chunk goes on.',
      file: 'services/loader/copy.ts',
      find: 'await options.storeDeadLetters(deadLetters);',
      replace: 'void options.storeDeadLetters(deadLetters).catch(() => undefined);',
      test: 'test/unit/services/loader/copy.test.ts',
    },
    {
      name: 'letters-of-an-interrupted-try-stay',
      stage: 'loader',
      mistake:
        'A row that was refused by an interrupted try, and has been mended since, arrives and stays a dead letter.',
      file: 'services/loader/copy.ts',
      find: '  if (resumed) await options.forgetDeadLetters(shape.table.relationId, first, end);\n',
      replace: '',
      test: 'test/unit/services/loader/copy.test.ts',
    },
    {
      name: 'load-is-not-laid-over',
      stage: 'loader',
      mistake: 'Changes that a first load may have brought already are applied as strictly as all others.',
      file: 'connectors/postgres/target/set-apply.ts',
      find: "if (commitLsn <= until) return 'overlay';\n",
      replace: '',
      test: 'test/conformance/postgres-target.test.ts',
      title: 'a first load that is laid over',
    },
    {
      name: 'backlog-is-forgotten-at-once',
      stage: 'reader',
      mistake: 'When a backlog begins to be read in portions, the slot is moved to its end.',
      file: 'connectors/postgres/source/slot-copy.ts',
      find: '  await session.query(advanceCommand(slot, start));\n',
      replace:
        '  await session.query(`SELECT pg_replication_slot_advance(${quoteLiteral(slot)}, pg_current_wal_lsn()), ${start}`);\n',
      test: 'test/conformance/postgres-source-catch-up.test.ts',
      title: 'a session that is ended in the midst of it leaves no copy behind',
    },
    {
      name: 'text-begins-behind-the-gap',
      stage: 'reader',
      mistake:
        'A stream that is begun anew as text goes on behind what was received, not behind what was handed over in blocks.',
      file: 'connectors/postgres/source/reader.ts',
      find: 'this.#decoder = this.#newDecoder(this.#decoder.position);',
      replace:
        'this.#decoder = this.#newDecoder({ ...this.#decoder.position, ordinal: this.#decoder.position.ordinal + 1 });',
      test: 'test/conformance/postgres-source-binary.test.ts',
      title: 'in the midst of one: it is read on as text',
    },
    {
      name: 'a-load-that-goes-on-makes-its-table-anew',
      stage: 'sync-service',
      mistake: 'A table that was dropped at the target under a load is made again, without the rows that were there.',
      file: 'services/sync-service/load-unit.ts',
      find: 'const held = goesOn || (await prepare',
      replace: 'const held = (goesOn && false) || (await prepare',
      test: 'test/integration/load-altered.test.ts',
      title: 'gone at the target halts',
    },
  ],
};
