import { writeFile } from 'node:fs/promises';
import { page, PAGE } from './page.ts';

await writeFile(PAGE, page());
