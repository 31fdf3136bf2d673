// The chain of a block's plugins that work on whole messages, in the fixed order of the Corefile reference (1.8). Cold.
// A plugin is loaded only if some block uses it.

import { parentPort } from 'node:worker_threads'
import type { Plugins } from '../config/configuration.ts'
import type { Describers } from '../plugins/metadata.ts'
import type { Failure, Plugin, Reply, Serve, Walk } from '../plugins/plugin.ts'
import { createTransfer } from '../plugins/transfer.ts'
import type { AnswerSource } from './answerer.ts'
import { ForwardPlugin, type Refresh } from './forward-plugin.ts'
import type { Block } from './router.ts'
import { StagePlugin } from './stage-plugin.ts'

const REFUSED = 5
const SERVFAIL = 2

/** Makes a plugin of a block that uses it. `describers`: those made so far, which come later in the chain. */
type Maker = (plugins: Plugins, describers: Describers, block: Block) => Plugin

/** In the order of the chain. Each loads its module and says how a plugin is made from a block that uses it. */
const LOADERS: readonly { readonly name: keyof Plugins; load(): Promise<Maker> }[] = [
  {
    name: 'metadata',
    load: async () => {
      const { createMetadata } = await import('../plugins/metadata.ts')
      return ({ metadata }, describers) => createMetadata(metadata!, describers)
    },
  },
  {
    name: 'nsid',
    load: async () => {
      const { createNsid } = await import('../plugins/nsid.ts')
      return ({ nsid }) => createNsid(nsid!)
    },
  },
  {
    name: 'bufsize',
    load: async () => {
      const { createBufsize } = await import('../plugins/bufsize.ts')
      return ({ bufsize }) => createBufsize(bufsize!)
    },
  },
  {
    name: 'local',
    load: async () => {
      const { createLocal } = await import('../plugins/local.ts')
      return ({ local }) => createLocal(local!)
    },
  },
  {
    name: 'dns64',
    load: async () => {
      const { createDns64 } = await import('../plugins/dns64.ts')
      return ({ dns64 }) => createDns64(dns64!)
    },
  },
  {
    name: 'any',
    load: async () => {
      const { createAny } = await import('../plugins/any.ts')
      return () => createAny()
    },
  },
  {
    name: 'chaos',
    load: async () => {
      const { createChaos } = await import('../plugins/chaos.ts')
      return ({ chaos }) => createChaos(chaos!)
    },
  },
  {
    name: 'loadbalance',
    load: async () => {
      const { createLoadbalance } = await import('../plugins/loadbalance.ts')
      return ({ loadbalance }) => createLoadbalance(loadbalance!)
    },
  },
  {
    name: 'rewrite',
    load: async () => {
      const { createRewrite } = await import('../plugins/rewrite.ts')
      return ({ rewrite }) => createRewrite(rewrite!)
    },
  },
  {
    name: 'autopath',
    load: async () => {
      const { createAutopath } = await import('../plugins/autopath.ts')
      return ({ autopath }, _, { cluster }) => createAutopath(autopath!, cluster)
    },
  },
  {
    name: 'acl',
    load: async () => {
      const { createAcl } = await import('../plugins/acl.ts')
      return ({ acl }) => createAcl(acl!)
    },
  },
  {
    name: 'cache',
    load: async () => {
      const { createCache } = await import('../plugins/cache.ts')
      return ({ cache }) => createCache(cache!)
    },
  },
  {
    name: 'header',
    load: async () => {
      const { createHeader } = await import('../plugins/header.ts')
      return ({ header }) => createHeader(header!)
    },
  },
  {
    name: 'minimal',
    load: async () => {
      const { createMinimal } = await import('../plugins/minimal.ts')
      return () => createMinimal()
    },
  },
  {
    name: 'template',
    load: async () => {
      const { createTemplates } = await import('../plugins/template.ts')
      return ({ template }) => createTemplates(template!)
    },
  },
  {
    name: 'loop',
    load: async () => {
      const { createLoop } = await import('../plugins/loop.ts')
      return (_, __, { source: { loopName } }) => createLoop(loopName ?? '', (pass) => parentPort?.postMessage(pass))
    },
  },
  {
    name: 'whoami',
    load: async () => {
      const { createWhoami } = await import('../plugins/whoami.ts')
      return () => createWhoami()
    },
  },
]

/** Comes after the stages, before what forwards. */
const BEFORE_FORWARD: keyof Plugins = 'loop'
/** Comes last, and answers itself. */
const LAST: keyof Plugins = 'whoami'

/** How the chains of a source are made. */
export type Makers = ReadonlyMap<keyof Plugins, Maker>

/** Loads the plugins that some block of the source uses. */
export async function loadPlugins({ blocks }: AnswerSource): Promise<Makers> {
  const used = LOADERS.filter(({ name }) => blocks.some(({ plugins }) => plugins[name] !== undefined))
  return new Map(
    await Promise.all(used.map(async ({ name, load }): Promise<[keyof Plugins, Maker]> => [name, await load()])),
  )
}

/** A block's chain. @param refresh  has an entry of the block's cache refreshed: the question of the query at packet[0..] */
export function chainOf(block: Block, makers: Makers, refresh: Refresh): Serve {
  const { plugins } = block
  const { forward } = block
  const stages = block.stages.filter((stage) => stage !== forward).map((stage) => new StagePlugin(stage))
  const forwards: Plugin[] = forward === null ? [] : [new ForwardPlugin(forward, block.index, refresh)]
  if (block.refuses) forwards.push(REFUSES)
  const last: Plugin[] = []
  const beforeForward: Plugin[] = []
  const first: Plugin[] = []
  for (const { name } of LOADERS.toReversed()) {
    if (plugins[name] === undefined) continue
    const plugin = makers.get(name)!(plugins, [...first, ...stages], block)
    if (name === LAST) last.push(plugin)
    else if (name === BEFORE_FORWARD) beforeForward.push(plugin)
    else first.unshift(plugin)
  }
  const own = [...stages, ...beforeForward, ...forwards, ...last]
  // What is behind it never sees AXFR: without directives it refuses.
  const all = [...first, createTransfer(plugins.transfer), ...own]
  const name = [...first, ...own].at(-1)?.name ?? ''
  return all.reduceRight<Serve>(
    (next, plugin) => (request) => plugin.serve(request, next),
    () => endOfChain(name),
  )
}

/** Where nobody can ask upstreams. */
const REFUSES: Plugin = {
  name: 'forward',
  // biome-ignore lint/correctness/useYield: plugins are generators, and this one waits for nothing.
  *serve(): Walk {
    return { kind: 'failure', rcode: REFUSED, error: '', plugin: 'forward' }
  },
}

// biome-ignore lint/correctness/useYield: as above.
function* endOfChain(name: string): Walk {
  // A block without plugins.
  if (name === '') return refused
  return { kind: 'failure', rcode: SERVFAIL, error: `plugin/${name}: no next plugin found`, plugin: '' }
}

const refused: Failure = { kind: 'failure', rcode: REFUSED, error: '', plugin: '' }

/** Is it a message? */
export function isReply(outcome: { readonly kind: string }): outcome is Reply {
  return outcome.kind === 'reply'
}
