// Plugin rewrite: changes the question and the options that later plugins see, and what comes back. Rules are compiled once.
// The client never sees another question than its own: a request is as it was when its reply goes up the chain.

import type { RewriteAnswer, RewriteField, RewriteRule } from '../config/configuration.ts'
import { labelsOfText, NameError } from '../dns/name.ts'
import type { Failure, Plugin, Request, Walk } from './plugin.ts'
import { ednsChange, optionCode } from './rewrite-edns.ts'
import { nameChange, nameTest } from './rewrite-names.ts'
import * as replies from './rewrite-replies.ts'

const NAME = 'rewrite'
const SERVFAIL = 2

/**
 * What a rule does to a request.
 *
 * @returns what is to be done to the reply, in order; null: the rule does not fit
 * @throws NameError if the name becomes none
 */
type Apply = (request: Request) => readonly replies.ReplyChange[] | null

interface CompiledRule {
  readonly apply: Apply
  /** No further rule is tried if this one fits. */
  readonly isLast: boolean
}

/** The plugin `rewrite`. @throws RegexpError */
export function createRewrite(rules: readonly RewriteRule[]): Plugin {
  const compiled = rules.map(compileRule)
  return {
    name: NAME,
    *serve(request, next): Walk {
      const { question, edns } = request
      try {
        const changes = guarded(() => applyRules(compiled, request))
        if ('kind' in changes) return changes
        let outcome = yield* next(request)
        for (const change of changes) {
          const changed = guarded(() => change(outcome, request))
          outcome = 'kind' in changed ? changed : yield* changed
        }
        return outcome
      } finally {
        request.question = question
        request.edns = edns
      }
    },
  }
}

/** What `work` gives; a failure if it makes a name that is none. */
function guarded<T>(work: () => T): T | Failure {
  try {
    return work()
  } catch (error) {
    if (!(error instanceof NameError)) throw error
    return { kind: 'failure', rcode: SERVFAIL, error: error.message, plugin: NAME }
  }
}

/** Changes the request. @returns what is to be done to the reply: the last rule's part first */
function applyRules(rules: readonly CompiledRule[], request: Request): readonly replies.ReplyChange[] {
  const changes: (readonly replies.ReplyChange[])[] = []
  for (const { apply, isLast } of rules) {
    const found = apply(request)
    if (found === null) continue
    changes.push(found)
    if (isLast) break
  }
  return changes.reverse().flat()
}

function compileRule({ mode, field }: RewriteRule): CompiledRule {
  // Whether a CNAME's target fits is known only when later rules have had their turn.
  return { apply: compileField(field), isLast: mode === 'stop' && field.kind !== 'cname' }
}

function compileField(field: RewriteField): Apply {
  switch (field.kind) {
    case 'name':
      return nameRule(field)
    case 'type':
    case 'class':
      return numberRule(field.kind, field.from, field.to)
    case 'ttl':
      return replyRule(nameTest(field.match, field.name), replies.ttlWithin(field.min, field.max))
    case 'rcode':
      return replyRule(nameTest(field.match, field.name), replies.rcodeFrom(field.from, field.to))
    case 'cname':
      return replyRule(() => true, replies.cnameTarget(nameChange(field.match, field.from, field.to)))
    case 'edns0': {
      const change = ednsChange(field)
      const changes = field.revert ? [replies.withoutOption(optionCode(field))] : []
      return (request) => (change(request) ? changes : null)
    }
  }
}

function replyRule(fits: (name: string) => boolean, change: replies.ReplyChange): Apply {
  const changes = [change]
  return ({ question }) => (fits(question.name) ? changes : null)
}

function numberRule(part: 'type' | 'class', from: number, to: number): Apply {
  return (request) => {
    if (request.question[part] !== from) return null
    request.question = { ...request.question, [part]: to }
    return []
  }
}

function nameRule({ match, from, to, answers }: Extract<RewriteField, { kind: 'name' }>): Apply {
  const change = nameChange(match, from, to)
  const explicit = answers.flatMap(answerChange)
  const isAuto = match === 'exact' || answers.some(({ kind }) => kind === 'auto')
  const isReversible = match === 'exact' || match === 'prefix' || match === 'suffix'
  const back = isAuto && isReversible ? [replies.allNames(nameChange(match, to, from))] : []
  return (request) => {
    const before = request.question.name
    const name = change(before)
    if (name === null) return null
    labelsOfText(name)
    request.question = { ...request.question, name }
    if (!isAuto || isReversible) return [...back, ...explicit]
    return [replies.allNames((found) => (found === name ? before : null)), ...explicit]
  }
}

function answerChange(answer: RewriteAnswer): replies.ReplyChange[] {
  if (answer.kind === 'auto') return []
  const change = nameChange('regex', answer.from, answer.to)
  return [answer.kind === 'name' ? replies.ownerNames(change) : replies.valueNames(change)]
}
