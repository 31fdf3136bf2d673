// Where the last good state is kept: `--state-dir`, or the first usual place that can be written to. Not here: what is kept.

import { accessSync, constants, mkdirSync, statSync } from 'node:fs'
import { homedir } from 'node:os'
import { isAbsolute, join } from 'node:path'

const SYSTEM_FOLDER = '/var/lib/peregrine'
const NAME = 'peregrine'
const MODE = 0o700

/** What `--state-dir` came to. */
export interface StateDir {
  /** A folder that is there and can be written to; '' for none: nothing is kept. */
  readonly path: string
  /** Why the folder that was asked for is not used: a line for the log; '' if nothing went wrong. */
  readonly problem: string
}

/**
 * Looks for the folder, and makes it if need be. Without one the server still serves, so nothing here throws.
 *
 * @param asked   the value of the flag: a folder; 'off' for none; '' for the usual places: `systemFolder` if it is there
 *   and can be written to, else the user's folder for state (XDG Base Directory Specification 0.8)
 */
export function resolveStateDir(
  asked: string,
  env: NodeJS.ProcessEnv = process.env,
  systemFolder: string = SYSTEM_FOLDER,
): StateDir {
  if (asked === 'off') return { path: '', problem: '' }
  if (asked !== '') {
    const reason = reasonAgainst(asked, true)
    return reason === '' ? { path: asked, problem: '' } : { path: '', problem: `no state is kept: ${reason}` }
  }
  if (reasonAgainst(systemFolder, false) === '') return { path: systemFolder, problem: '' }
  const own = userFolder(env)
  return { path: own !== '' && reasonAgainst(own, true) === '' ? own : '', problem: '' }
}

function reasonAgainst(folder: string, mayMake: boolean): string {
  try {
    if (mayMake) mkdirSync(folder, { recursive: true, mode: MODE })
    if (!statSync(folder).isDirectory()) return `${folder} is no folder`
    accessSync(folder, constants.W_OK | constants.X_OK)
    return ''
  } catch (error) {
    return (error as Error).message
  }
}

function userFolder(env: NodeJS.ProcessEnv): string {
  const { XDG_STATE_HOME: state = '' } = env
  if (isAbsolute(state)) return join(state, NAME) // a relative one is to be ignored
  const home = env.HOME ?? homeOfUser()
  return isAbsolute(home) ? join(home, '.local/state', NAME) : ''
}

function homeOfUser(): string {
  try {
    return homedir()
  } catch {
    return '' // a user without an entry in /etc/passwd, as in a container
  }
}
