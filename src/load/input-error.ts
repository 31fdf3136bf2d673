// What is wrong with what the user gave: one line, that names the flag, or the file and the line. The command ends with exit code 2.

/** Input that makes no sense. */
export class LoadInputError extends Error {
  readonly code = 'BAD_LOAD_INPUT'
}
