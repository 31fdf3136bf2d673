// `bufsize [SIZE]`.

import { argumentsOf, integer, single, withoutProperties } from './arguments.ts'
import type { Setup } from './setup.ts'

const SIZE = 1232
const SIZE_LEAST = 512
const SIZE_MOST = 4096

/** @see Corefile reference 5.15 */
export const setup: Setup<'bufsize'> = (directives) => {
  const directive = single(directives)
  withoutProperties(directive)
  const [size] = argumentsOf(directive, 0, 1)
  return size === undefined ? SIZE : integer(size, SIZE_LEAST, SIZE_MOST)
}
