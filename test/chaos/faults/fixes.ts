import type { Scene } from '../scene.ts';

/** An operator's "resync". */
export async function resync({ installation, pair }: Scene): Promise<void> {
  await installation.control.runs.requestResync(pair.id);
}

/** An operator's "resume". */
export async function resume({ installation, pair }: Scene): Promise<void> {
  await installation.control.runs.setDesired(pair.id, 'running');
}
