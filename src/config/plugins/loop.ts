// `loop`.

import { bare, single } from './arguments.ts'
import type { Setup } from './setup.ts'

/** @see Corefile reference 5.8 */
export const setup: Setup<'loop'> = (directives) => bare(single(directives))
