// What `peregrine serve` is to serve: by the Corefile if there is one, else by the flags alone.

import { usableWorkers } from '../config/usable-workers.ts'
import { builtInConfiguration, builtInSettings } from '../server/built-in.ts'
import type { RunningServer } from '../server/running-server.ts'
import { digLines, listeningLine, zonesLine } from '../server/summary.ts'
import { corefilePath, corefileReader, defaultPort } from './corefile.ts'
import { configFromFlags, settingsFromFlags } from './flag-config.ts'
import { FlagError, type FlagName, type Flags } from './flags.ts'
import type { ServeRequest } from './serve.ts'

/** Flags that describe what a Corefile describes. */
const SAID_BY_COREFILE: readonly FlagName[] = [
  ...(['listen', 'zone', 'ttl', 'pods', 'namespaces', 'namespace_labels', 'labels', 'endpoint_pod_names'] as const),
  ...(['ignore', 'noendpoints', 'zonal', 'multicluster', 'okd', 'okd-wildcard', 'okd-short-names'] as const),
  ...(['okd-openshift-alias', 'startup_timeout', 'bufsize', 'kubeconfig', 'context'] as const),
]

/**
 * @param isOther  started by the name of a program that serves by a Corefile and nothing else
 * @throws FlagError for flags that a Corefile leaves no room for, CorefileError
 */
export async function serveRequest(flags: Flags, version: readonly string[], isOther: boolean): Promise<ServeRequest> {
  const path = corefilePath(flags, isOther)
  const common = { quiet: flags.has('quiet'), pidfile: flags.text('pidfile', ''), version }
  if (path === '') {
    const config = configFromFlags(flags)
    const configuration = builtInConfiguration(config)
    const settings = builtInSettings(config)
    return { ...common, configuration, settings, read: null, plain: true, introduce: (server) => introduction(server) }
  }
  const misplaced = SAID_BY_COREFILE.find((name) => flags.has(name))
  if (misplaced !== undefined) throw new FlagError(`flag --${misplaced}: with a Corefile (${path}), it says so itself`)
  const read = corefileReader(path, defaultPort(flags), !flags.has('conf'))
  const { configuration, error } = read()
  if (configuration === null) throw error
  const settings = settingsFromFlags(flags, usableWorkers())
  return { ...common, configuration, settings, read, plain: false, introduce: () => [] }
}

function introduction(server: RunningServer): string[] {
  const { configuration, clusters, serving, parts } = server
  if (serving === null) return []
  const { manifests, workers } = parts.settings
  const [cluster] = clusters.all
  const fromFiles = manifests === null ? [] : [`manifests: ${manifests.join(', ')}`]
  const questions = manifests === null || cluster.engine === null ? [] : digLines(cluster.engine, serving)
  return [...fromFiles, zonesLine(configuration), listeningLine(workers, serving), ...questions]
}
