import { writeFile } from 'node:fs/promises';
import { page, PAGE } from './alerts-page.ts';

await writeFile(PAGE, page());
