/**
 * Names of what we make at a source: "terrafusion_<installation>_<source>_<generation>" for a slot, the same without the generation for a
 * publication. Letters, digits and underscores, since slots take nothing else.
 */
export interface StreamName {
  /** undefined for names of the first version, which carried none. */
  readonly installation: string | undefined;
  readonly source: string;
  /** undefined: a publication's. */
  readonly generation: number | undefined;
}

const hex = (id: string, digits: number): string => id.replaceAll('-', '').slice(0, digits);

export const installationPart = (installation: string): string => hex(installation, 8);
export const sourcePart = (sourceId: string): string => hex(sourceId, 16);

export const publicationName = (installation: string, sourceId: string): string =>
  `terrafusion_${installationPart(installation)}_${sourcePart(sourceId)}`;
export const slotName = (installation: string, sourceId: string, generation: number): string =>
  `${publicationName(installation, sourceId)}_${generation}`;

/** undefined: a name that is none of ours. */
export function parseStreamName(name: string): StreamName | undefined {
  const match = /^terrafusion(?:_([0-9a-f]{8}))?_([0-9a-f]{16})(?:_(\d{1,9}))?$/.exec(name);
  if (!match) return undefined;
  const [, installation, source, generation] = match;
  return { installation, source: source!, generation: generation === undefined ? undefined : Number(generation) };
}
