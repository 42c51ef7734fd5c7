import { createHash } from 'node:crypto';
import { codePoints } from './text.ts';
import { onText, type Transforms } from './transform.ts';

/** Every character but the last ones is covered; what is no longer than those is covered whole. */
export const mask: Transforms['mask'] = ({ keep_last: keep, with: cover }) =>
  onText((text) => {
    const length = codePoints(text);
    if (length <= keep) return cover.repeat(length);
    return cover.repeat(length - keep) + (keep === 0 ? '' : Array.from(text).slice(-keep).join(''));
  });

/** Hex of the digest of salt and value. */
export const hash: Transforms['hash'] = ({ algorithm, salt }) =>
  onText((text) => createHash(algorithm).update(salt).update(text).digest('hex'));
