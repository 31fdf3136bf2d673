// Whether this process runs in a Pod that may ask the cluster's API: what the kubelet leaves for it. Not here: using it
// (connection.ts). Loads nothing else, for the command line asks too.

import { statSync } from 'node:fs'
import { join } from 'node:path'

const FOLDER = '/var/run/secrets/kubernetes.io/serviceaccount'

/** The folder with `token` and `ca.crt`. Tests put theirs elsewhere with PEREGRINE_SERVICE_ACCOUNT. */
export function serviceAccountFolder(env: NodeJS.ProcessEnv = process.env): string {
  return env.PEREGRINE_SERVICE_ACCOUNT || FOLDER
}

/** Whether the address of the API server and a token are there. */
export function isInCluster(env: NodeJS.ProcessEnv = process.env): boolean {
  if (!env.KUBERNETES_SERVICE_HOST || !env.KUBERNETES_SERVICE_PORT) return false
  return statSync(join(serviceAccountFolder(env), 'token'), { throwIfNoEntry: false })?.isFile() ?? false
}
