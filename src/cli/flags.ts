// The command line: one table of flags for all commands. CoreDNS's single-dash spellings and double-dash ones mean the same.

/** A command line that makes no sense. The process ends with code 2. */
export class FlagError extends Error {
  readonly code = 'BAD_FLAG'
}

type FlagKind = 'text' | 'list' | 'switch' | 'onoff' | 'integer'

interface FlagSpec {
  readonly kind: FlagKind
  /** Valid range of an integer. */
  readonly range?: readonly [number, number]
  /** Valid texts. */
  readonly choices?: readonly string[]
  readonly argument?: string
  readonly help: string
}

const FLAGS = {
  manifests: { kind: 'list', argument: 'PATH', help: 'file or folder of manifests or cluster dumps; repeatable' },
  'dns.port': { kind: 'integer', range: [0, 65535], argument: 'N', help: 'port to serve on (5353)' },
  listen: { kind: 'list', argument: 'ADDR', help: 'address to serve on; repeatable (127.0.0.1 and ::1)' },
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
  json: { kind: 'switch', help: 'explain: print JSON' },
  help: { kind: 'switch', help: 'print this' },
  version: { kind: 'switch', help: 'print the version' },
} as const satisfies Record<string, FlagSpec>

export type FlagName = keyof typeof FLAGS

/** What a command line says: flags by name, and the words that are no flags. */
export class Flags {
  readonly #values = new Map<FlagName, string[]>()
  readonly words: string[] = []

  /** @throws FlagError naming the flag */
  static parse(args: readonly string[]): Flags {
    const flags = new Flags()
    for (let i = 0; i < args.length; i++) {
      const arg = args[i]
      if (!arg.startsWith('-') || arg === '-') {
        flags.words.push(arg)
        continue
      }
      const [text, inline] = splitOnce(arg.replace(/^--?/, ''), '=')
      if (!(text in FLAGS)) throw new FlagError(`unknown flag ${arg.split('=')[0]}`)
      const name = text as FlagName
      const spec: FlagSpec = FLAGS[name]
      if (spec.kind === 'switch') {
        if (inline !== undefined) throw new FlagError(`flag --${name} takes no value`)
        flags.#add(name, 'on')
        continue
      }
      const value = inline ?? args[++i]
      if (value === undefined) throw new FlagError(`flag --${name} needs a value`)
      flags.#add(name, checkedValue(name, spec, value))
    }
    return flags
  }

  has(name: FlagName): boolean {
    return this.#values.has(name)
  }

  /** The value given last. */
  text(name: FlagName, byDefault: string): string {
    return this.#values.get(name)?.at(-1) ?? byDefault
  }

  integer(name: FlagName, byDefault: number): number {
    return Number(this.text(name, String(byDefault)))
  }

  isOn(name: FlagName, byDefault: boolean): boolean {
    return this.text(name, byDefault ? 'on' : 'off') === 'on'
  }

  /** All values given, those of one flag separated by commas too; `byDefault` if there are none. */
  list(name: FlagName, byDefault: readonly string[]): readonly string[] {
    const values = this.#values.get(name)
    return values === undefined ? byDefault : values
  }

  #add(name: FlagName, value: string): void {
    const spec: FlagSpec = FLAGS[name]
    const values =
      spec.kind === 'list' && name !== 'manifests' ? value.split(',').filter((part) => part !== '') : [value]
    this.#values.set(name, [...(this.#values.get(name) ?? []), ...values])
  }
}

function checkedValue(name: FlagName, spec: FlagSpec, value: string): string {
  const choices = spec.kind === 'onoff' ? ['on', 'off'] : spec.choices
  if (choices !== undefined && !choices.includes(value)) {
    throw new FlagError(`flag --${name} is ${choices.join(' or ')}, not '${value}'`)
  }
  if (spec.kind === 'integer') {
    const [least, most] = spec.range!
    if (!/^\d+$/.test(value) || Number(value) < least || Number(value) > most) {
      throw new FlagError(`flag --${name} is a number from ${least} to ${most}, not '${value}'`)
    }
  }
  if (spec.kind === 'list' && value === '') throw new FlagError(`flag --${name} needs a value`)
  return value
}

function splitOnce(text: string, separator: string): [string, string | undefined] {
  const at = text.indexOf(separator)
  return at < 0 ? [text, undefined] : [text.slice(0, at), text.slice(at + 1)]
}

/** Usage text. */
export function usage(): string {
  const lines = Object.entries(FLAGS).map(([name, spec]: [string, FlagSpec]) => {
    const flag = `  --${name}${spec.argument === undefined ? '' : ` ${spec.argument}`}`
    return `${flag.padEnd(34)} ${spec.help}`
  })
  return [
    'usage: peregrine [serve] [flags]              serve DNS',
    '       peregrine explain NAME [TYPE] [flags]  the answer to a question, and why it is so',
    '',
    ...lines,
    '',
  ].join('\n')
}
