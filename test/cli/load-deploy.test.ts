// deploy/load: a Job that our own command line takes, with the rights that it needs and no others, as restricted Pod Security wants it.

import assert from 'node:assert/strict'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { loadAll } from 'js-yaml'
import { Flags } from '../../src/cli/flags.ts'
import { type LoadPlan, loadPlan } from '../../src/cli/load-plan.ts'

interface Rule {
  readonly apiGroups: readonly string[]
  readonly resources: readonly string[]
  readonly verbs: readonly string[]
}

interface Manifest {
  readonly kind: string
  readonly metadata: { readonly name: string; readonly namespace?: string; readonly labels?: Record<string, string> }
  readonly rules?: readonly Rule[]
  readonly roleRef?: unknown
  readonly subjects?: unknown
  // biome-ignore lint/suspicious/noExplicitAny: a Job, looked at field by field.
  readonly spec?: any
}

const manifests = loadAll(readFileSync(join(import.meta.dirname, '../../deploy/load/job.yaml'), 'utf8')) as Manifest[]
const [namespace, account, role, binding, job] = manifests
const pod = job.spec.template.spec
const [container] = pod.containers

/** What the kubelet leaves for a Pod. */
const folder = mkdtempSync(join(tmpdir(), 'peregrine-account-'))
writeFileSync(join(folder, 'token'), 'secret')
after(() => rmSync(folder, { recursive: true }))
const IN_CLUSTER = {
  KUBERNETES_SERVICE_HOST: '10.96.0.1',
  KUBERNETES_SERVICE_PORT: '443',
  PEREGRINE_SERVICE_ACCOUNT: folder,
}

function plan(): LoadPlan {
  const [command, ...args] = container.args
  assert.equal(command, 'load')
  return loadPlan(Flags.parse(args), IN_CLUSTER)
}

test('what there is, and that it belongs together', () => {
  assert.deepEqual(
    manifests.map(({ kind, metadata }) => `${kind} ${metadata.namespace ?? ''}/${metadata.name}`),
    [
      'Namespace /peregrine-load',
      'ServiceAccount peregrine-load/load',
      'ClusterRole /peregrine-load',
      'ClusterRoleBinding /peregrine-load',
      'Job peregrine-load/load',
    ],
  )
  assert.deepEqual(binding.roleRef, {
    apiGroup: 'rbac.authorization.k8s.io',
    kind: 'ClusterRole',
    name: role.metadata.name,
  })
  assert.deepEqual(binding.subjects, [{ kind: 'ServiceAccount', ...account.metadata }])
  assert.deepEqual([pod.serviceAccountName, pod.automountServiceAccountToken], [account.metadata.name, true])
})

test('the command line is good: the names of its own cluster, asked of kube-dns, checked, in one JSON object', () => {
  const { targets, queries, model, truth, sampleEvery, bounds, output, workers, isExample } = plan()
  const [{ host, port, transport }, ...others] = targets
  assert.deepEqual([host, port, transport, others], ['kube-dns.kube-system.svc', 53, 'udp', []])
  assert.deepEqual([queries.kind, isExample], ['cluster', false])
  assert.ok(model.source.kind === 'api')
  assert.deepEqual(model.source.feed.connection, { kubeconfig: '', context: '' })
  assert.deepEqual([truth?.kind, sampleEvery], ['model', 10])
  assert.deepEqual(bounds, { maxLoss: 0.001, maxP99Micros: 20_000 })
  assert.deepEqual([output.json, output.quiet, output.html, output.jsonLines], [true, true, '', '']) // the root is read-only
  assert.ok(workers + 1 <= Number(container.resources.requests.cpu), 'a core for each worker, and one for the rest')
})

test('the rights are those that it needs', () => {
  const { source } = plan().model
  assert.ok(source.kind === 'api')
  const groups: Record<string, string> = { endpointslices: 'discovery.k8s.io' }
  const needed = source.feed.resources.map((resource) => `${groups[resource] ?? ''}/${resource}`)
  const granted = role.rules!.flatMap(({ apiGroups, resources, verbs }) => {
    assert.deepEqual(verbs, ['list', 'watch'])
    return apiGroups.flatMap((group) => resources.map((resource) => `${group}/${resource}`))
  })
  assert.deepEqual(granted.sort(), needed.sort())
})

test('restricted Pod Security, and an end in any case', () => {
  assert.equal(namespace.metadata.labels?.['pod-security.kubernetes.io/enforce'], 'restricted')
  const { runAsNonRoot, runAsUser, runAsGroup, seccompProfile } = pod.securityContext
  assert.deepEqual(
    [runAsNonRoot, runAsUser, runAsGroup, seccompProfile],
    [true, 65532, 65532, { type: 'RuntimeDefault' }],
  )
  assert.deepEqual(container.securityContext, {
    allowPrivilegeEscalation: false,
    readOnlyRootFilesystem: true,
    capabilities: { drop: ['ALL'] },
  })
  for (const field of ['hostNetwork', 'hostPID', 'hostIPC', 'volumes']) assert.equal(pod[field], undefined, field)
  const { backoffLimit, activeDeadlineSeconds, ttlSecondsAfterFinished } = job.spec
  assert.deepEqual([backoffLimit, pod.restartPolicy], [0, 'Never'])
  const { durationMs, warmupMs, timeoutMs } = plan()
  assert.ok(activeDeadlineSeconds * 1000 > 2 * (durationMs! + warmupMs + timeoutMs))
  assert.ok(ttlSecondsAfterFinished > 0)
  assert.ok(container.resources.limits.memory !== undefined && container.resources.limits.cpu === undefined)
})
