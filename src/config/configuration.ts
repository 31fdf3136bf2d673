// A Corefile understood: one typed, frozen object. Everything after it reads this and no text. Plain data: it is handed to workers as it is.
//
// Zones are absolute, lower case, in presentation format with a final dot ('cluster.local.', '.'). Durations are milliseconds.

/** What the server is to do. */
export interface Configuration {
  /** The Corefile's path as given; '' for a configuration that is built in. */
  readonly path: string
  /** All files it was read from. */
  readonly files: readonly string[]
  /** SHA-512 of them, in hexadecimal; '' if built in. */
  readonly fingerprint: string
  readonly blocks: readonly BlockConfig[]
  readonly listeners: readonly ListenerConfig[]
  /** Lines for the log, without level. */
  readonly warnings: readonly string[]
  /** What is accepted, but has no effect here; `FILE:LINE: text`. */
  readonly withoutEffect: readonly string[]
}

/** One server block. */
export interface BlockConfig {
  readonly file: string
  readonly line: number
  /** Zones of its keys, in their order, without duplicates. */
  readonly zones: readonly string[]
  readonly plugins: Plugins
}

/** What shares sockets: one scheme, port and address. */
export interface ListenerConfig {
  readonly scheme: Scheme
  /** As written in `bind`, an IP address; '' is every address. */
  readonly address: string
  readonly port: number
  /** In file order; a zone comes more than once only if blocks have views. */
  readonly zones: readonly ListenerZone[]
}

export interface ListenerZone {
  readonly zone: string
  /** Index in Configuration.blocks. */
  readonly block: number
}

export type Scheme = 'dns' | 'tls' | 'https' | 'quic' | 'grpc' | 'https3'

/** Which missing names a plugin passes on: null none, ['.'] all, else those in these zones. */
export type Fallthrough = readonly string[] | null

/** An address to listen on with HTTP; host '' is every address. */
export interface HttpAddress {
  readonly host: string
  readonly port: number
}

/** The plugins of a block; absent = not used. Plugins that may stand more than once and add up are lists, in file order. */
export interface Plugins {
  readonly errors?: ErrorsConfig
  readonly log?: readonly LogRule[]
  readonly health?: HealthConfig
  readonly ready?: ReadyConfig
  readonly prometheus?: PrometheusConfig
  readonly kubernetes?: KubernetesConfig
  readonly forward?: readonly ForwardConfig[]
  readonly cache?: CacheConfig
  readonly loop?: true
  readonly autopath?: AutopathConfig
  readonly reload?: ReloadConfig
  readonly loadbalance?: LoadbalanceConfig
  readonly hosts?: HostsConfig
  readonly template?: readonly TemplateConfig[]
  readonly bind?: BindConfig
  /** Octets, 512..4096. */
  readonly bufsize?: number
  readonly chaos?: ChaosConfig
  readonly whoami?: true
  /** Text of the identifier. */
  readonly nsid?: string
  readonly dns64?: Dns64Config
  readonly ocp_dnsnameresolver?: OcpDnsNameResolverConfig
  readonly rewrite?: readonly RewriteRule[]
  readonly acl?: readonly AclConfig[]
  readonly k8s_external?: K8sExternalConfig
  readonly header?: readonly HeaderRule[]
  readonly minimal?: true
  readonly any?: true
  readonly local?: LocalConfig
  readonly debug?: true
  readonly file?: readonly FileConfig[]
  readonly auto?: readonly AutoConfig[]
  readonly transfer?: readonly TransferConfig[]
  readonly view?: ViewConfig
  /** Zones whose queries collect metadata. */
  readonly metadata?: readonly string[]
  /** Milliseconds. */
  readonly cancel?: number
}

export type PluginName = keyof Plugins

export interface ErrorsConfig {
  readonly stacktrace: boolean
  readonly consolidate: readonly ConsolidateRule[]
}

export interface ConsolidateRule {
  readonly periodMs: number
  /** RE2. */
  readonly pattern: string
  readonly level: 'error' | 'warning' | 'info' | 'debug'
  readonly showFirst: boolean
}

export type LogClass = 'all' | 'success' | 'denial' | 'error'

export interface LogRule {
  /** Suffixes; the first rule of a block with one that fits decides. */
  readonly names: readonly string[]
  /** With placeholders; `{common}` and `{combined}` are written out. */
  readonly format: string
  readonly classes: readonly LogClass[]
}

export interface HealthConfig {
  readonly address: HttpAddress
  readonly lameduckMs: number
}

export interface ReadyConfig {
  readonly address: HttpAddress
  readonly continuously: boolean
}

export interface PrometheusConfig {
  readonly address: HttpAddress
  readonly runtimeMetrics: boolean
  /** Web configuration of the exporter toolkit; '' = none. */
  readonly tlsFile: string
}

/** Reference 3.1 of the cluster's DNS. */
export interface KubernetesConfig {
  readonly zones: readonly string[]
  /** URL; '' = the account in the cluster, or `kubeconfig`. */
  readonly endpoint: string
  readonly tls: { readonly cert: string; readonly key: string; readonly ca: string } | null
  readonly kubeconfig: string
  readonly context: string
  /** 0 = default. */
  readonly apiserverQps: number
  readonly apiserverBurst: number
  /** 0 = no limit. */
  readonly apiserverMaxInflight: number
  /** null = all. */
  readonly namespaces: readonly string[] | null
  /** Label selectors; '' = all. */
  readonly labels: string
  readonly namespaceLabels: string
  readonly pods: 'disabled' | 'insecure' | 'verified'
  readonly endpointPodNames: boolean
  /** Seconds, 0..3600. */
  readonly ttl: number
  readonly noEndpoints: boolean
  readonly fallthrough: Fallthrough
  readonly ignoreEmptyService: boolean
  readonly multicluster: readonly string[]
  readonly zonal: boolean
  readonly startupTimeoutMs: number
  /** Directive `okd` inside of the block: names of OKD 3.11; null = none. */
  readonly okd: { readonly wildcard: boolean; readonly shortNames: boolean; readonly openshiftAlias: boolean } | null
}

export interface Upstream {
  readonly transport: 'dns' | 'tls' | 'https'
  /** IP address, or a host name to be resolved once. */
  readonly host: string
  readonly port: number
  /** Name to verify, from `%name`; '' = none. */
  readonly serverName: string
}

/** A file like resolv.conf(5) that upstreams were read from. */
export interface NameserverFile {
  /** Resolved against `root`. */
  readonly path: string
  /** What its `nameserver` lines said when the configuration was loaded, as written. */
  readonly nameservers: readonly string[]
}

export interface ForwardConfig {
  readonly from: string
  /** What was written: files of nameservers are read when the configuration is loaded. */
  readonly to: readonly string[]
  readonly upstreams: readonly Upstream[]
  /** Those of `to` that are files. */
  readonly nameserverFiles: readonly NameserverFile[]
  readonly except: readonly string[]
  readonly forceTcp: boolean
  readonly preferUdp: boolean
  readonly policy: 'random' | 'round_robin' | 'sequential'
  readonly maxFails: number
  readonly healthCheck: { readonly intervalMs: number; readonly recursionDesired: boolean; readonly domain: string }
  readonly expireMs: number
  /** 0 = none. */
  readonly maxAgeMs: number
  readonly maxIdleConns: number
  readonly maxConcurrent: number
  readonly readTimeoutMs: number
  /** -1 = twice the number of upstreams. */
  readonly maxConnectAttempts: number
  readonly tls: { readonly cert: string; readonly key: string; readonly ca: string } | null
  readonly tlsServername: string
  /** RCODEs by number. */
  readonly failover: readonly number[]
  readonly next: readonly number[]
  readonly nextOnNodata: boolean
  readonly failfastAllUnhealthyUpstreams: boolean
  readonly sourceAddress: string
  readonly resolver: readonly string[]
  readonly dohMethod: 'POST' | 'GET'
  /** Ours: letters of QNAME go upstream by UDP in a case by lot, which the answer must repeat. */
  readonly randomizeCase: boolean
}

export interface CacheConfig {
  readonly zones: readonly string[]
  readonly success: { readonly capacity: number; readonly ttl: number; readonly minTtl: number }
  readonly denial: { readonly capacity: number; readonly ttl: number; readonly minTtl: number }
  /** amount 0 = off. */
  readonly prefetch: { readonly amount: number; readonly durationMs: number; readonly percentage: number }
  readonly serveStale: {
    readonly durationMs: number
    readonly mode: 'immediate' | 'verify'
    readonly verifyTimeoutMs: number
    readonly ttl: number
    readonly recheckMs: number
  } | null
  readonly preferPositive: boolean
  readonly servfailMs: number
  /** Zones for which nothing of that kind is cached. */
  readonly disableSuccess: readonly string[]
  readonly disableDenial: readonly string[]
  readonly keepTtl: boolean
}

export interface AutopathConfig {
  readonly zones: readonly string[]
  /** Path of a resolv.conf, or '@kubernetes'. */
  readonly source: string
  /** Search list of that file, or of the server's own with '@kubernetes': absolute, lower case, with final dot. */
  readonly search: readonly string[]
}

export interface ReloadConfig {
  readonly intervalMs: number
  readonly jitterMs: number
}

export interface LoadbalanceConfig {
  readonly policy: 'round_robin' | 'weighted'
  /** Path of the weights, resolved against `root`; '' unless weighted. */
  readonly file: string
  /** 0 = never read again. */
  readonly reloadMs: number
  /** CIDRs, in order. */
  readonly prefer: readonly string[]
}

export interface HostsConfig {
  /** Resolved against `root`. */
  readonly path: string
  readonly zones: readonly string[]
  readonly inline: readonly { readonly address: string; readonly names: readonly string[] }[]
  readonly ttl: number
  readonly reverse: boolean
  /** 0 = never read again. */
  readonly reloadMs: number
  readonly fallthrough: Fallthrough
  readonly fallthroughUnsupported: boolean
}

export interface TemplateConfig {
  readonly file: string
  readonly line: number
  /** Number; 255 = ANY. */
  readonly class: number
  readonly type: number
  readonly zones: readonly string[]
  /** RE2. Never empty: '.*' if none was given. */
  readonly match: readonly string[]
  readonly answer: readonly string[]
  readonly additional: readonly string[]
  readonly authority: readonly string[]
  readonly rcode: number
  readonly extendedError: { readonly code: number; readonly text: string } | null
  readonly fallthrough: Fallthrough
  readonly variables: readonly { readonly name: string; readonly expression: string }[]
  readonly expressions: readonly string[]
}

export interface BindConfig {
  /** Addresses and interfaces as written. */
  readonly addresses: readonly string[]
  readonly except: readonly string[]
}

export interface ChaosConfig {
  readonly version: string
  readonly authors: readonly string[]
}

export interface Dns64Config {
  /** CIDR. */
  readonly prefix: string
  readonly translateAll: boolean
  readonly allowIpv4: boolean
}

export interface OcpDnsNameResolverConfig {
  readonly namespaces: readonly string[]
  readonly minTtl: number
  readonly failureThreshold: number
}

export interface RewriteRule {
  readonly file: string
  readonly line: number
  readonly mode: 'continue' | 'stop'
  readonly field: RewriteField
}

export type RewriteField =
  | {
      readonly kind: 'name'
      readonly match: 'exact' | 'prefix' | 'suffix' | 'substring' | 'regex'
      readonly from: string
      readonly to: string
      readonly answers: readonly RewriteAnswer[]
    }
  | { readonly kind: 'type' | 'class'; readonly from: number; readonly to: number }
  | {
      readonly kind: 'ttl'
      readonly match: RewriteMatch
      readonly name: string
      readonly min: number
      readonly max: number
    }
  | {
      readonly kind: 'rcode'
      readonly match: RewriteMatch
      readonly name: string
      readonly from: number
      readonly to: number
    }
  | { readonly kind: 'cname'; readonly match: RewriteMatch; readonly from: string; readonly to: string }
  | {
      readonly kind: 'edns0'
      readonly option: 'local' | 'nsid' | 'subnet'
      readonly action: 'set' | 'append' | 'replace' | 'unset'
      /** `local`: code and data as written. `subnet`: bits. */
      readonly code: number
      readonly data: string
      readonly bitsV4: number
      readonly bitsV6: number
      readonly revert: boolean
    }

export type RewriteMatch = 'exact' | 'prefix' | 'suffix' | 'substring' | 'regex'

export type RewriteAnswer =
  | { readonly kind: 'auto' }
  | { readonly kind: 'name' | 'value'; readonly from: string; readonly to: string }

export interface AclConfig {
  readonly zones: readonly string[]
  readonly rules: readonly AclRule[]
}

export interface AclRule {
  readonly action: 'allow' | 'block' | 'filter' | 'drop'
  /** Types by number; empty = all. */
  readonly types: readonly number[]
  /** CIDRs; empty = all. */
  readonly nets: readonly string[]
}

export interface K8sExternalConfig {
  readonly zones: readonly string[]
  readonly apex: string
  readonly ttl: number
  readonly headless: boolean
  readonly fallthrough: Fallthrough
}

export interface HeaderRule {
  readonly selector: 'query' | 'response'
  readonly action: 'set' | 'clear'
  readonly flags: readonly ('aa' | 'ra' | 'rd')[]
}

export interface LocalConfig {
  readonly localhostPrefix: boolean
}

export interface FileConfig {
  /** Resolved against `root`. */
  readonly path: string
  readonly zones: readonly string[]
  /** 0 = never read again. */
  readonly reloadMs: number
  readonly reloadByMtime: boolean
  readonly fallthrough: Fallthrough
}

export interface AutoConfig {
  readonly zones: readonly string[]
  readonly directory: string
  /** RE2 over file names, and the origin made of its groups. */
  readonly pattern: string
  readonly origin: string
  readonly reloadMs: number
}

export interface TransferConfig {
  readonly zones: readonly string[]
  /** IP addresses with port; '*' = anyone. */
  readonly to: readonly string[]
  readonly source: string
}

export interface ViewConfig {
  readonly name: string
  readonly expressions: readonly string[]
}
