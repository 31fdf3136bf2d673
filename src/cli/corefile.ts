// The Corefile, as the commands read it: found, understood, and checked by the parts that will use it.

import { existsSync, readFileSync } from 'node:fs'
import type { Configuration } from '../config/configuration.ts'
import { configure } from '../config/configure.ts'
import { tryCorefile } from '../config/corefile/read.ts'
import { CorefileError } from '../config/corefile/syntax.ts'
import { LabelSelector } from '../kube/label-selector.ts'
import { compileCondition, compileExpression } from '../plugins/expression.ts'
import { checkTemplate } from '../plugins/template.ts'
import type { ConfigurationReading } from '../server/reloads.ts'
import type { Flags } from './flags.ts'

const DEFAULT_PORT = 53
const DEFAULT_PATH = 'Corefile'
const STDIN = 0

const CHECKS = {
  template: checkTemplate,
  expression: (text: string): void => void compileExpression(text),
  condition: (text: string): void => void compileCondition(text),
  labelSelector: (text: string): void => void LabelSelector.parse(text),
}

/**
 * The Corefile that the flags ask for: by name, or the one in the working directory if no other source is named; '' for none.
 * @param isOther  started by the name of a program that has no other source: its Corefile may be missing, and is then empty
 */
export function corefilePath(flags: Flags, isOther = false): string {
  if (flags.has('conf')) return flags.text('conf', '')
  if (isOther) return DEFAULT_PATH
  const isNamed = flags.has('manifests') || flags.has('kubeconfig')
  return !isNamed && existsSync(DEFAULT_PATH) ? DEFAULT_PATH : ''
}

/** Port of keys without one. */
export function defaultPort(flags: Flags): number {
  return flags.number('dns.port', DEFAULT_PORT)
}

/**
 * What reads a Corefile, again and again; from standard input only once.
 * @param mayBeMissing  one that has never been there is empty
 */
export function corefileReader(path: string, port: number, mayBeMissing = false): () => ConfigurationReading {
  const input = path === 'stdin' ? readFileSync(STDIN, 'utf8') : undefined
  let wasThere = !mayBeMissing
  return () => {
    wasThere ||= existsSync(path)
    const text = wasThere ? input : ''
    const { syntax, error, fingerprint } = tryCorefile(path, process.env, text)
    if (syntax === null) return { configuration: null, error, fingerprint }
    try {
      return { configuration: configure(syntax, { defaultPort: port, checks: CHECKS }), error: null, fingerprint }
    } catch (failure) {
      if (!(failure instanceof CorefileError)) throw failure
      return { configuration: null, error: failure, fingerprint }
    }
  }
}

/** @throws CorefileError */
export function readConfiguration(path: string, port: number): Configuration {
  const { configuration, error } = corefileReader(path, port)()
  if (configuration === null) throw error
  return configuration
}
