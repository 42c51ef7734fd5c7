/** `npm run bench:docs`: writes what is told of the kept results: infra/docs/benchmarks.md, its plots, and the table of README.md. */
import { mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { documents, placeOf } from './documents.ts';

const all = documents();
const plots = placeOf('infra/docs/plots/');
mkdirSync(plots, { recursive: true });
// A plot of what is no longer kept goes with it.
for (const name of readdirSync(plots)) if (!all.has(`infra/docs/plots/${name}`)) rmSync(new URL(name, plots));
for (const [path, content] of all) writeFileSync(placeOf(path), content);
