import { writeFile } from 'node:fs/promises';
import { boards } from './boards.ts';
import { boardJson } from './panel.ts';

/** `node infra/monitoring/grafana/write.ts`: what Grafana is given, from what people read. */
for (const [name, board] of Object.entries(boards)) {
  const file = new URL(`dashboards/${name}.json`, import.meta.url);
  await writeFile(file, `${JSON.stringify(boardJson(board), undefined, 2)}\n`);
}
