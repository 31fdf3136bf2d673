// Plugin template: answers made of texts in which parts of the query are filled in. Everything is compiled once, when the configuration is loaded.

import type { TemplateConfig } from '../config/configuration.ts'
import { compileRegexp, type Regexp, type RegexpMatch } from '../config/regexp.ts'
import { type ResourceRecord, rdataNames } from '../dns/message.ts'
import { parseRecord } from '../dns/record-text.ts'
import { CLASSES, className, TYPES, typeName } from '../dns/record-types.ts'
import { compileExpression } from './expression.ts'
import { parseTemplate, type Template } from './go-template/template.ts'
import type { Value } from './go-template/values.ts'
import { type Failure, type Outcome, type Plugin, type Reply, type Request, replyOf, type Walk } from './plugin.ts'
import { templateData } from './template-data.ts'
import { isInZone, longestZone } from './zone-match.ts'

const NAME = 'template'
const ANY = 255
const SERVFAIL = 2
/** FORMERR, SERVFAIL, NOTIMP and REFUSED mean that nothing is written, the server shall. */
const RCODES_OF_SERVER: readonly number[] = [1, SERVFAIL, 4, 5]
/** RFC 8914 §2. */
const EXTENDED_ERROR = 15
/** Of records that name none. */
const DEFAULTS = { origin: '.', ttl: 3600, class: CLASSES.IN }
const SECTIONS = ['answer', 'additional', 'authority'] as const

type Section = (typeof SECTIONS)[number]

interface CompiledTemplate {
  readonly config: TemplateConfig
  readonly patterns: readonly Regexp[]
  readonly conditions: readonly ((request: Request) => unknown)[]
  readonly variables: readonly { readonly name: string; readonly evaluate: (request: Request) => unknown }[]
  readonly records: readonly { readonly section: Section; readonly template: Template }[]
}

/** A query and a template that answers it. */
interface Hit {
  readonly request: Request
  readonly compiled: CompiledTemplate
  readonly zone: string
  readonly match: RegexpMatch
}

/** Throws if `text` is no template. @throws TemplateError */
export function checkTemplate(text: string): void {
  parseTemplate(text)
}

/** The plugin `template`. @throws RegexpError, ExpressionError, TemplateError */
export function createTemplates(configs: readonly TemplateConfig[]): Plugin {
  const templates = configs.map(compile)
  return {
    name: NAME,
    *serve(request, next): Walk {
      for (const compiled of templates) {
        const { config } = compiled
        const { name } = request.question
        const zone = zoneOf(config, request)
        if (zone === null) continue
        const match = matchOf(compiled, request)
        if (match !== null) return yield* answered({ request, compiled, zone, match })
        if (!config.fallthrough?.some((each) => isInZone(name, each))) return failure(SERVFAIL)
      }
      return yield* next(request)
    },
  }
}

function compile(config: TemplateConfig): CompiledTemplate {
  return {
    config,
    patterns: config.match.map(compileRegexp),
    conditions: config.expressions.map(compileExpression),
    variables: config.variables.map(({ name, expression }) => ({ name, evaluate: compileExpression(expression) })),
    records: SECTIONS.flatMap((section) => config[section].map((text) => ({ section, template: parseTemplate(text) }))),
  }
}

/** The zone of a template that the question lies in; null if that is none, or class or type differ. */
function zoneOf(config: TemplateConfig, { question }: Request): string | null {
  if (config.class !== ANY && config.class !== question.class) return null
  if (config.type !== ANY && config.type !== question.type) return null
  return longestZone(question.name, config.zones)
}

function matchOf({ patterns, conditions }: CompiledTemplate, request: Request): RegexpMatch | null {
  if (!conditions.every((condition) => condition(request) === true)) return null
  for (const pattern of patterns) {
    const match = pattern.exec(request.question.name)
    if (match !== null) return match
  }
  return null
}

function* answered(hit: Hit): Walk {
  const { request } = hit
  const { rcode, extendedError } = hit.compiled.config
  request.count('template_matches_total', labelsOf(request))
  if (RCODES_OF_SERVER.includes(rcode)) return failure(rcode)
  const outcome = filled(hit)
  if (outcome.kind !== 'reply') return outcome
  if (extendedError !== null) outcome.options.push(extendedErrorOption(extendedError.code, extendedError.text))
  return yield* followed(request, outcome)
}

/** The reply with all records; a failure if one cannot be made. */
function filled({ request, compiled, zone, match }: Hit): Outcome {
  const variables = new Map(compiled.variables.map(({ name, evaluate }) => [name, valueFrom(evaluate(request))]))
  const data = templateData(request, zone, match, variables)
  const reply = replyOf(NAME, compiled.config.rcode)
  for (const { section, template } of compiled.records) {
    const labels = { ...labelsOf(request), section, template: template.source }
    let text: string
    try {
      text = template.execute(data)
    } catch (error) {
      request.count('template_template_failures_total', labels)
      return failure(SERVFAIL, (error as Error).message)
    }
    if (text.trim() === '') continue
    try {
      reply[section].push(parseRecord(text, DEFAULTS))
    } catch (error) {
      request.count('template_rr_failures_total', labels)
      return failure(SERVFAIL, (error as Error).message)
    }
  }
  return reply
}

/** Addresses behind a CNAME, if they were asked for and the templates did not give them. */
function* followed(request: Request, reply: Reply): Walk {
  const { type } = request.question
  if (type !== TYPES.A && type !== TYPES.AAAA) return reply
  if (reply.answer.some((record) => record.type === type)) return reply
  const added: ResourceRecord[] = []
  for (const record of reply.answer) {
    const [target] = record.type === TYPES.CNAME ? rdataNames(record) : []
    if (target === undefined) continue
    const found = yield* request.ask({ ...request.question, name: target.toLowerCase() })
    if (found.kind !== 'reply') continue
    reply.truncated ||= found.truncated
    added.push(...found.answer)
  }
  return { ...reply, answer: [...reply.answer, ...added] }
}

/** Whole numbers of an expression are Go's integers. */
function valueFrom(value: unknown): Value {
  return Number.isInteger(value) ? BigInt(value as number) : (value as Value)
}

function extendedErrorOption(code: number, text: string): { code: number; data: Uint8Array } {
  return { code: EXTENDED_ERROR, data: Uint8Array.of(code >>> 8, code & 0xff, ...new TextEncoder().encode(text)) }
}

function labelsOf({ question }: Request): { class: string; type: string } {
  return { class: className(question.class), type: typeName(question.type) }
}

function failure(rcode: number, error = ''): Failure {
  return { kind: 'failure', rcode, error, plugin: NAME }
}
