// The command line: one table of flags for all commands. CoreDNS's single-dash spellings and double-dash ones mean the same.
// Flags with an underscore are options of CoreDNS's `kubernetes` plugin, and take what those take.

import { DurationError, parseDuration } from '../config/duration.ts'
import { LabelSelector, LabelSelectorError } from '../kube/label-selector.ts'
import { LOAD_FLAGS } from './load-flags.ts'
import { NODE_LOCAL_FLAGS } from './node-local-flags.ts'

/** A command line that makes no sense. The process ends with code 2. */
export class FlagError extends Error {
  readonly code = 'BAD_FLAG'
}

/** A flag that nobody knows. */
export class UnknownFlagError extends FlagError {}

/** A switch is on or not there; a toggle may be switched off too. A list may be written with commas, what is repeated keeps them. */
type FlagKind =
  | ('text' | 'list' | 'repeated' | 'switch' | 'toggle' | 'onoff' | 'optional')
  | ('integer' | 'number' | 'duration' | 'selector')

interface FlagSpec {
  readonly kind: FlagKind
  /** Valid range of an integer. */
  readonly range?: readonly [number, number]
  /** Valid texts. */
  readonly choices?: readonly string[]
  /** What a value looks like that may be left out. */
  readonly pattern?: RegExp
  readonly argument?: string
  readonly help: string
}

const NUMBER = /^(?:\d+\.?\d*|\.\d+)(?:e[-+]?\d+)?$/i
const COUNT = [0, 2 ** 31 - 1] as const

const FLAGS = {
  conf: { kind: 'text', argument: 'FILE', help: "Corefile to serve by; 'stdin' reads it from there (./Corefile)" },
  manifests: { kind: 'repeated', argument: 'PATH', help: 'file or folder of manifests or cluster dumps; repeatable' },
  kubeconfig: { kind: 'text', argument: 'FILE', help: 'follow the cluster that this file names' },
  context: { kind: 'text', argument: 'NAME', help: "context of the kubeconfig (the file's current one)" },
  'dns.port': {
    kind: 'integer',
    range: [0, 65535],
    argument: 'N',
    help: 'port to serve on (5353; of keys of a Corefile without a port 53)',
  },
  p: { kind: 'integer', range: [0, 65535], argument: 'N', help: 'the same as --dns.port' },
  pidfile: { kind: 'text', argument: 'FILE', help: 'write the process id there' },
  quiet: { kind: 'switch', help: 'no lines of listeners and version at the start' },
  listen: {
    kind: 'list',
    argument: 'ADDR',
    help: 'address to serve on; repeatable (127.0.0.1 and ::1; in a cluster all)',
  },
  workers: { kind: 'integer', range: [1, 62], argument: 'N', help: 'query workers (one per usable core)' },
  transport: { kind: 'text', choices: ['auto', 'io', 'dgram'], argument: 'KIND', help: 'auto, io or dgram (auto)' },
  zone: { kind: 'list', argument: 'ZONE', help: 'forward zone; repeatable, the first is the primary (cluster.local)' },
  ttl: { kind: 'integer', range: [0, 3600], argument: 'N', help: 'TTL of records in seconds (5)' },
  pods: {
    kind: 'text',
    choices: ['disabled', 'insecure', 'verified'],
    argument: 'MODE',
    help: 'Pod names: disabled, insecure or verified (insecure)',
  },
  namespaces: { kind: 'list', argument: 'A,B', help: 'only these namespaces exist; repeatable' },
  namespace_labels: { kind: 'selector', argument: 'SELECTOR', help: 'only namespaces with such labels exist' },
  labels: { kind: 'selector', argument: 'SELECTOR', help: 'only Services, EndpointSlices and Pods with such labels' },
  endpoint_pod_names: { kind: 'switch', help: 'endpoints without hostname are named after their Pod' },
  ignore: {
    kind: 'text',
    choices: ['empty_service'],
    argument: 'empty_service',
    help: 'ClusterIP Services without ready endpoints have no names',
  },
  noendpoints: { kind: 'switch', help: 'no names from EndpointSlices' },
  zonal: { kind: 'switch', help: 'names for the endpoints of one topology zone' },
  multicluster: { kind: 'list', argument: 'ZONE', help: 'zone whose Services are ServiceImports; repeatable' },
  okd: { kind: 'switch', help: 'the names of OKD 3.11 beside those of Kubernetes' },
  'okd-wildcard': {
    kind: 'onoff',
    argument: 'on|off',
    help: 'with --okd: any name below a Service is that Service (on)',
  },
  'okd-short-names': { kind: 'onoff', argument: 'on|off', help: 'with --okd: SERVICE.NAMESPACE.ZONE (off)' },
  'okd-openshift-alias': {
    kind: 'onoff',
    argument: 'on|off',
    help: 'with --okd: openshift.default.svc and local.dns (off)',
  },
  startup_timeout: { kind: 'duration', argument: 'TIME', help: 'serve after this time even if not all is known (5s)' },
  apiserver_qps: { kind: 'number', argument: 'N', help: 'requests a second to the API server, 0 = default (100)' },
  apiserver_burst: {
    kind: 'integer',
    range: COUNT,
    argument: 'N',
    help: 'requests at once beyond that, 0 = default (200)',
  },
  apiserver_max_inflight: {
    kind: 'integer',
    range: COUNT,
    argument: 'N',
    help: 'requests at the same time, watches included, 0 = any number (0)',
  },
  'page-size': { kind: 'integer', range: [1, 10000], argument: 'N', help: 'objects to a page of a list (500)' },
  'streaming-lists': { kind: 'onoff', argument: 'on|off', help: 'ask for lists as streams where there are such (on)' },
  'audit-interval': {
    kind: 'duration',
    argument: 'TIME',
    help: 'compare all with the API server so often, 0 = never (5m)',
  },
  'state-dir': {
    kind: 'text',
    argument: 'DIR',
    help: "folder for the last good state, or 'off' (/var/lib/peregrine or the user's)",
  },
  bufsize: { kind: 'integer', range: [512, 4096], argument: 'N', help: 'largest UDP response in octets (1232)' },
  'receive-buffer': {
    kind: 'integer',
    range: [4096, 2 ** 30],
    argument: 'OCTETS',
    help: 'receive buffer of each UDP socket (4194304)',
  },
  'index-mb': {
    kind: 'integer',
    range: [1, 1024],
    argument: 'N',
    help: 'most memory of the index in MiB, taken as needed (1024)',
  },
  json: { kind: 'switch', help: 'explain, load: print JSON' },
  plugins: { kind: 'switch', help: 'print the plugins of Corefiles, one a line' },
  help: { kind: 'switch', help: 'print this' },
  h: { kind: 'switch', help: 'the same as --help' },
  version: { kind: 'switch', help: 'print the version' },
  ...NODE_LOCAL_FLAGS,
  ...LOAD_FLAGS,
} as const satisfies Record<string, FlagSpec>

export type FlagName = keyof typeof FLAGS

/** What a command line says: flags by name, and the words that are no flags. */
export class Flags {
  readonly #values = new Map<FlagName, string[]>()
  readonly words: string[] = []

  /**
   * @param wordsEndFlags  the first word that is no flag ends them, as in CoreDNS; else they may be mixed
   * @throws FlagError naming the flag
   */
  static parse(args: readonly string[], wordsEndFlags = false): Flags {
    const flags = new Flags()
    for (let i = 0; i < args.length; i++) {
      const arg = args[i]
      if (!arg.startsWith('-') || arg === '-' || (wordsEndFlags && flags.words.length > 0)) {
        flags.words.push(arg)
        continue
      }
      const [text, inline] = splitOnce(arg.replace(/^--?/, ''), '=')
      if (!Object.hasOwn(FLAGS, text)) throw new UnknownFlagError(`unknown flag ${arg.split('=')[0]}`)
      const name = text as FlagName
      const spec: FlagSpec = FLAGS[name]
      if (spec.kind === 'switch' || spec.kind === 'toggle') {
        if (inline !== undefined && inline !== 'true' && inline !== 'false') {
          throw new FlagError(`flag --${name} is true or false, not '${inline}'`)
        }
        if (inline !== 'false') flags.#add(name, 'on')
        else if (spec.kind === 'toggle') flags.#add(name, 'off')
        continue
      }
      if (spec.kind === 'optional' && inline === undefined && !spec.pattern!.test(args[i + 1] ?? '')) {
        flags.#add(name, '')
        continue
      }
      const value = inline ?? args[++i]
      if (value === undefined) throw new FlagError(`flag --${name} needs a value`)
      flags.#add(name, checkedValue(name, spec, value))
    }
    return flags
  }

  /** Names of all that are given, in the order they first were. */
  get names(): readonly FlagName[] {
    return [...this.#values.keys()]
  }

  has(name: FlagName): boolean {
    return this.#values.has(name)
  }

  /** The value given last. */
  text(name: FlagName, byDefault: string): string {
    return this.#values.get(name)?.at(-1) ?? byDefault
  }

  number(name: FlagName, byDefault: number): number {
    return Number(this.text(name, String(byDefault)))
  }

  /** Milliseconds. */
  duration(name: FlagName, byDefault: string): number {
    return parseDuration(this.text(name, byDefault))
  }

  /** As client-go writes it; '' for everything. */
  selector(name: FlagName): string {
    return LabelSelector.parse(this.text(name, '')).toString()
  }

  isOn(name: FlagName, byDefault: boolean): boolean {
    return this.text(name, byDefault ? 'on' : 'off') === 'on'
  }

  /** All values given, those of one flag separated by commas too; `byDefault` if there are none. */
  list(name: FlagName, byDefault: readonly string[]): readonly string[] {
    const values = this.#values.get(name)
    return values === undefined ? byDefault : values
  }

  #add(given: FlagName, value: string): void {
    const name = given === 'p' ? 'dns.port' : given
    const spec: FlagSpec = FLAGS[name]
    const values = spec.kind === 'list' ? value.split(',').filter((part) => part !== '') : [value]
    this.#values.set(name, [...(this.#values.get(name) ?? []), ...values])
  }
}

function checkedValue(name: FlagName, spec: FlagSpec, value: string): string {
  const choices = spec.kind === 'onoff' ? ['on', 'off'] : spec.choices
  if (choices !== undefined && !choices.includes(value)) {
    throw new FlagError(`flag --${name} is ${choices.join(' or ')}, not '${value}'`)
  }
  switch (spec.kind) {
    case 'integer': {
      const [least, most] = spec.range!
      if (!/^\d+$/.test(value) || Number(value) < least || Number(value) > most) {
        throw new FlagError(`flag --${name} is a number from ${least} to ${most}, not '${value}'`)
      }
      return value
    }
    case 'number':
      if (!NUMBER.test(value) || !Number.isFinite(Number(value))) {
        throw new FlagError(`flag --${name} is a number, 0 or more, not '${value}'`)
      }
      return value
    case 'duration':
    case 'selector':
      checkParsed(name, spec.kind, value)
      return value
    case 'optional':
      if (!spec.pattern!.test(value)) throw new FlagError(`flag --${name} is ${spec.argument}, not '${value}'`)
      return value
    case 'list':
      if (/^,*$/.test(value)) throw new FlagError(`flag --${name} needs a value`)
      return value
    default:
      if (value === '') throw new FlagError(`flag --${name} needs a value`)
      return value
  }
}

function checkParsed(name: FlagName, kind: 'duration' | 'selector', value: string): void {
  try {
    if (kind === 'selector') LabelSelector.parse(value)
    else if (parseDuration(value) < 0) throw new DurationError(`a time cannot be less than 0: '${value}'`)
  } catch (error) {
    if (!(error instanceof DurationError || error instanceof LabelSelectorError)) throw error
    throw new FlagError(`flag --${name}: ${error.message}`)
  }
}

function splitOnce(text: string, separator: string): [string, string | undefined] {
  const at = text.indexOf(separator)
  return at < 0 ? [text, undefined] : [text.slice(0, at), text.slice(at + 1)]
}

/** Usage text of everything but `load`, whose flags are as many again (load-usage.ts). */
export function usage(): string {
  const names = (Object.keys(FLAGS) as FlagName[]).filter((name) => !Object.hasOwn(LOAD_FLAGS, name))
  const isOfNode = (name: FlagName): boolean => Object.hasOwn(NODE_LOCAL_FLAGS, name)
  const ofNode = names.filter(isOfNode).map((name) => usageLine(name))
  const others = names.filter((name) => !isOfNode(name)).map((name) => usageLine(name))
  return [
    'usage: peregrine [serve] [flags]              serve DNS',
    '       peregrine check FILE                   is the Corefile good, and what does it mean',
    '       peregrine explain NAME [TYPE] [flags]  the answer to a question, and why it is so',
    '       peregrine load --server ADDR [flags]   how fast, and how right, a DNS server answers; load --help has its flags',
    '',
    ...others,
    '',
    'the cache of a node (node-cache), with --conf and --pidfile; --localip makes it one:',
    ...ofNode,
    '',
    'With a Corefile (--conf, ./Corefile) what is served follows from that; --manifests then stand for every API server.',
    'Without one, records come from --manifests, else from --kubeconfig, else from the cluster that this process runs in',
    '(its service account), else from the application in examples/.',
    'Times are written 500ms, 5s, 1m30s; selectors app=web,tier in (a, b).',
    '',
  ].join('\n')
}

/** One line of usage. @param help  instead of the one in the table */
export function usageLine(name: FlagName, help: string = FLAGS[name].help): string {
  const { argument }: FlagSpec = FLAGS[name]
  const flag = `  --${name}${argument === undefined ? '' : ` ${argument}`}`
  return `${flag.padEnd(34)} ${help}`
}
