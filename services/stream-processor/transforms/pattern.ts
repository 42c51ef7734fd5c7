import { boundedPattern } from '../expressions/pattern.ts';
import { RowFailure } from '../row-failure.ts';
import { onText, type Transforms } from './transform.ts';

/** A JavaScript regular expression (Unicode, every match); `with` may use $1, $<name> and $&. */
export const replacePattern: Transforms['replace_pattern'] = ({ pattern, with: replacement }) => {
  const { expression, maxLength } = boundedPattern(pattern);
  return onText((text) => {
    if (text.length > maxLength) {
      throw new RowFailure(
        `a value of ${text.length} characters is too long for replace_pattern: at most ${maxLength} for this pattern`,
      );
    }
    return text.replace(expression, replacement);
  });
};
