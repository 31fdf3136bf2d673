// The setups of all plugins. What they refuse gets the plugin's name here.

import type { PluginName } from '../configuration.ts'
import { errorAt } from '../corefile/syntax.ts'
import { setup as acl } from './acl.ts'
import { setup as auto } from './auto.ts'
import { setup as autopath } from './autopath.ts'
import { setup as bind } from './bind.ts'
import { setup as bufsize } from './bufsize.ts'
import { setup as cache } from './cache.ts'
import { setup as cancel } from './cancel.ts'
import { setup as chaos } from './chaos.ts'
import { setup as dns64 } from './dns64.ts'
import { setup as errors } from './errors.ts'
import { setup as file } from './file.ts'
import { setup as forward } from './forward.ts'
import { setup as header } from './header.ts'
import { setup as health } from './health.ts'
import { setup as hosts } from './hosts.ts'
import { setup as k8sExternal } from './k8s_external.ts'
import { setup as kubernetes } from './kubernetes.ts'
import { setup as loadbalance } from './loadbalance.ts'
import { setup as local } from './local.ts'
import { setup as log } from './log.ts'
import { setup as loop } from './loop.ts'
import { setup as metadata } from './metadata.ts'
import { setup as nsid } from './nsid.ts'
import { setup as ocpDnsNameResolver } from './ocp_dnsnameresolver.ts'
import { setup as prometheus } from './prometheus.ts'
import { setup as ready } from './ready.ts'
import { setup as reload } from './reload.ts'
import { setup as rewrite } from './rewrite.ts'
import { Refusal, type Setup } from './setup.ts'
import { setup as flagOnly } from './switches.ts'
import { setup as template } from './template.ts'
import { setup as transfer } from './transfer.ts'
import { setup as view } from './view.ts'

const ALL: { readonly [K in PluginName]: Setup<K> } = {
  errors,
  log,
  health,
  ready,
  prometheus,
  kubernetes,
  forward,
  cache,
  loop,
  autopath,
  reload,
  loadbalance,
  hosts,
  template,
  bind,
  bufsize,
  chaos,
  whoami: flagOnly,
  nsid,
  dns64,
  ocp_dnsnameresolver: ocpDnsNameResolver,
  rewrite,
  acl,
  k8s_external: k8sExternal,
  header,
  minimal: flagOnly,
  any: flagOnly,
  local,
  debug: flagOnly,
  file,
  auto,
  transfer,
  view,
  metadata,
  cancel,
}

/** Setup of each plugin. They throw CorefileError alone: `FILE:LINE - Error during parsing: plugin/NAME: …`. */
export const SETUPS: { readonly [K in PluginName]: Setup<K> } = Object.freeze(
  Object.fromEntries(Object.entries(ALL).map(([name, setup]) => [name, named(name, setup as Setup<PluginName>)])),
) as unknown as typeof ALL

function named(name: string, setup: Setup<PluginName>): Setup<PluginName> {
  return (directives, context) => {
    try {
      return setup(directives, context)
    } catch (error) {
      if (error instanceof Refusal) throw errorAt(error.at, `plugin/${name}: ${error.message}`)
      throw error
    }
  }
}
