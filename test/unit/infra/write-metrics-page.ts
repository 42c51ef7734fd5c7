import { writeFile } from 'node:fs/promises';
import { page, PAGE } from './metrics-page.ts';

await writeFile(PAGE, await page());
