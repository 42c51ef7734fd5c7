#!/usr/bin/env node
// Plain JavaScript that any Node can read: it runs the product on the Node that npm installed with it, whatever Node called it.
import { spawn } from 'node:child_process';
import module, { createRequire } from 'node:module';
import { constants } from 'node:os';
import { dirname, join } from 'node:path';

const NEEDED = 24;

if (Number(process.versions.node.split('.')[0]) >= NEEDED) {
  keepCompiled();
  const { runCli } = await import('./main.ts');
  await runCli(process.argv.slice(2));
} else {
  runOn(findNode());
}

/**
 * What was compiled once is kept beside what npm installed: a process then starts in half the time, also after it was killed. Not in the folder for
 * temporary files, where others could put what we would run. Where nothing may be written, nothing is kept.
 */
function keepCompiled() {
  module.enableCompileCache(join(import.meta.dirname, '..', '..', 'node_modules', '.cache', 'terrafusion'));
  // Node writes it as it ends; who is killed never does.
  setTimeout(() => module.flushCompileCache(), 10_000).unref();
}

/** The binary of the npm package `node`. */
function findNode() {
  const require = createRequire(import.meta.url);
  try {
    const manifest = require.resolve('node/package.json');
    return join(dirname(manifest), require(manifest).bin.node);
  } catch {
    process.stderr.write(
      `TerraFusion Sync needs Node ${NEEDED}; this is Node ${process.versions.node}, and the one that npm installs with it is missing.\n` +
        `Run \`npm ci\` in ${join(import.meta.dirname ?? '.', '..', '..')}, or use Node ${NEEDED} or newer.\n`,
    );
    process.exit(78);
  }
}

/** @param {string} node */
function runOn(node) {
  // In a process group of its own, so that a Ctrl-C reaches it once, through us, and not twice. The channel tells it when we are killed.
  const child = spawn(node, [import.meta.filename ?? new URL(import.meta.url).pathname, ...process.argv.slice(2)], {
    stdio: ['inherit', 'inherit', 'inherit', 'ipc'],
    detached: process.platform !== 'win32',
  });
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => child.kill(signal));
  child.on('error', (error) => {
    process.stderr.write(`${node} cannot be run: ${error.message}\nRun \`npm ci\` again.\n`);
    process.exit(78);
  });
  child.on('exit', (code, signal) => {
    process.exit(code ?? 128 + (signal === null ? 0 : constants.signals[signal]));
  });
}
