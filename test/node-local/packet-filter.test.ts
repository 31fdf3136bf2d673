// Rules and interface where the programs fail: no lock, no match, no permission, not there. What they do where all goes well: life.test.ts.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type CommandResult, runCommand } from '../../src/node-local/commands.ts'
import { LocalInterface } from '../../src/node-local/local-interface.ts'
import { PacketFilter, rulesOf } from '../../src/node-local/packet-filter.ts'
import { SETUP_ERRORS, SetupErrors } from '../../src/node-local/setup-errors.ts'

const GOOD: CommandResult = { code: 0, stdout: '', error: '' }

/** Programs that keep their rules in a list, and fail as told. */
function programs(fails: (line: string) => CommandResult | undefined) {
  const rules: string[] = []
  const runs: string[] = []
  const run = async (program: string, args: readonly string[]): Promise<CommandResult> => {
    const line = `${program} ${args.join(' ')}`
    runs.push(line)
    const failure = fails(line)
    if (failure !== undefined) return failure
    const [, operation] = / (-[CID]) /.exec(line) ?? []
    const rule = line.replace(/ -[CID] /, ' ')
    if (operation === '-I') rules.unshift(rule)
    else if (operation !== undefined) {
      const at = rules.indexOf(rule)
      if (at < 0) return { code: 1, stdout: '', error: 'Bad rule (does a matching rule exist in that chain?)' }
      if (operation === '-D') rules.splice(at, 1)
    }
    return GOOD
  }
  return { rules, runs, run }
}

test('the rules of an address: those of the reference, and nothing else', () => {
  const text = rulesOf('169.254.20.10', 8080, false).map(({ table, chain, match, target, comment }) => {
    return `${table} ${chain} ${match.join(' ')} ${target} (${comment.replace('NodeLocal DNS Cache: ', '')})`
  })
  const both = ['tcp', 'udp'].flatMap((protocol) => [
    `raw PREROUTING -d 169.254.20.10 -p ${protocol} --dport 53 NOTRACK (skip conntrack)`,
    `raw OUTPUT -d 169.254.20.10 -p ${protocol} --dport 53 NOTRACK (skip conntrack)`,
    `raw OUTPUT -s 169.254.20.10 -p ${protocol} --sport 53 NOTRACK (skip conntrack)`,
    `filter INPUT -d 169.254.20.10 -p ${protocol} --dport 53 ACCEPT (allow DNS traffic)`,
    `filter OUTPUT -s 169.254.20.10 -p ${protocol} --sport 53 ACCEPT (allow DNS traffic)`,
  ])
  assert.deepEqual(text, [
    ...both,
    'raw OUTPUT -d 169.254.20.10 -p tcp --dport 8080 NOTRACK (skip conntrack)',
    'raw OUTPUT -s 169.254.20.10 -p tcp --sport 8080 NOTRACK (skip conntrack)',
  ])
})

test('rules are made once, made again when they are gone, and removed with all their copies', async () => {
  const { rules, runs, run } = programs(() => undefined)
  const filter = new PacketFilter(['10.0.0.1', '10.0.0.2'], 8080, run, new SetupErrors())
  assert.deepEqual(await filter.ensure(), { made: ['24 rules added for 10.0.0.1, 10.0.0.2'], failed: [] })
  assert.equal(rules.length, 24)
  assert.deepEqual(await filter.ensure(), { made: [], failed: [] })
  rules.splice(3, 2)
  assert.deepEqual((await filter.ensure()).made, ['2 rules added for 10.0.0.1, 10.0.0.2'])
  rules.push(rules[0], rules[7])
  assert.equal(await filter.remove(), 26)
  assert.deepEqual(rules, [])
  assert.ok(runs.every((line) => line.startsWith('iptables -w 5 -t ')))
})

test('IPv6 has a program of its own', async () => {
  const { runs, run } = programs(() => undefined)
  await new PacketFilter(['fd00::10'], 8080, run, new SetupErrors()).ensure()
  assert.ok(runs.every((line) => line.startsWith('ip6tables -w 5 -t ')))
})

test('where the kernel cannot tell whether something listens, rules match always; they are removed all the same', async () => {
  const refused: CommandResult = { code: 4, stdout: '', error: 'RULE_INSERT failed (No such file or directory)' }
  const { rules, run } = programs((line) => (line.includes('socket') ? refused : undefined))
  const errors = new SetupErrors()
  const filter = new PacketFilter(['10.0.0.1'], 8080, run, errors)
  assert.deepEqual(await filter.ensure(), {
    made: ['rules match whether or not something listens: there is no `-m socket` here', '12 rules added for 10.0.0.1'],
    failed: [],
  })
  assert.equal(errors.of('iptables'), 0)
  assert.equal(rules.filter((rule) => rule.includes('PREROUTING')).length, 2)
  assert.deepEqual(await filter.ensure(), { made: [], failed: [] })
  assert.equal(await filter.remove(), 12)
})

test('failures are counted by their kind, and all that can be made is made', async () => {
  const locked: CommandResult = { code: 4, stdout: '', error: 'Another app is currently holding the xtables lock' }
  const denied: CommandResult = { code: 4, stdout: '', error: 'Permission denied (you must be root)' }
  const missing: CommandResult = { code: null, stdout: '', error: 'iptables: there is no such program' }
  const cases = [
    { result: locked, match: ' raw -I PREROUTING ', counts: { iptables_lock: 2 }, made: 10 },
    { result: denied, match: ' raw -I PREROUTING ', counts: { iptables: 2 }, made: 10 },
    { result: denied, match: '', counts: { iptables: 12 }, made: 0 },
    // Tried once an address.
    { result: missing, match: '', counts: { iptables: 1 }, made: 0 },
  ]
  for (const { result, match, counts, made } of cases) {
    const { rules, run } = programs((line) => (line.includes(match) ? result : undefined))
    const errors = new SetupErrors()
    const filter = new PacketFilter(['10.0.0.1'], 8080, run, errors)
    const { failed } = await filter.ensure()
    const all = SETUP_ERRORS.map((kind) => [kind, errors.of(kind)]).filter(([, count]) => count !== 0)
    assert.deepEqual(Object.fromEntries(all), counts)
    assert.equal(failed.length, Object.values(counts)[0])
    assert.equal(rules.length, made)
  }
})

test('an end that has come stops making and removing', async () => {
  const { rules, run } = programs(() => undefined)
  const filter = new PacketFilter(['10.0.0.1'], 8080, run, new SetupErrors())
  await filter.ensure(AbortSignal.abort())
  assert.deepEqual(rules, [])
  await filter.ensure()
  assert.equal(await filter.remove(AbortSignal.abort()), 0)
  assert.equal(rules.length, 12)
})

test('an interface that cannot be made, or not be looked at, is counted', async () => {
  const absent: CommandResult = { code: 1, stdout: '', error: 'Device "dns0" does not exist.' }
  const unknown: CommandResult = { code: 2, stdout: '', error: 'Error: Unknown device type.' }
  const errors = new SetupErrors()
  const none = programs((line) => (line.includes(' show ') ? absent : unknown))
  assert.deepEqual(await new LocalInterface('dns0', ['10.0.0.1'], none.run, errors).ensure(), {
    made: [],
    failed: ['Error: Unknown device type.'],
  })
  assert.deepEqual([errors.of('interface_add'), errors.of('interface_check')], [1, 0])
  const blind = programs(() => ({ code: null, stdout: '', error: 'ip: there is no such program' }))
  const { failed } = await new LocalInterface('dns0', ['10.0.0.1'], blind.run, errors).ensure()
  assert.deepEqual(failed, ['ip: there is no such program'])
  assert.deepEqual([errors.of('interface_add'), errors.of('interface_check')], [1, 1])
})

test('addresses that are there in another spelling are not added again', async () => {
  const shown: CommandResult = {
    code: 0,
    stdout: '4: dns0    inet6 fd00::10/128 scope global \\ valid_lft forever',
    error: '',
  }
  const { runs, run } = programs((line) => (line.includes(' show ') ? shown : undefined))
  const { made } = await new LocalInterface('dns0', ['FD00:0::10', 'fd00::11'], run, new SetupErrors()).ensure()
  assert.deepEqual(made, ['address fd00::11 added to dns0'])
  assert.ok(runs.includes('ip address add fd00::11/128 nodad dev dns0'))
})

test('a program that is not there, fails or takes too long is told', async () => {
  const missing = await runCommand('peregrine-no-such-program', ['-x'])
  assert.deepEqual([missing.code, missing.error], [null, 'peregrine-no-such-program -x: there is no such program'])
  const failing = await runCommand('sh', ['-c', 'echo one; echo two >&2; echo three >&2; exit 3'])
  assert.deepEqual([failing.code, failing.stdout], [3, 'one\n'])
  assert.match(failing.error, /: two; three$/)
})

test('every kind of error is there from the start, at 0, by both names', () => {
  const errors = new SetupErrors()
  errors.count('iptables_lock')
  for (const name of ['coredns_nodecache_setup_errors_total', 'coredns_nodecache_setup_errors']) {
    const lines = errors
      .text()
      .split('\n')
      .filter((line) => line.startsWith(`${name}{`))
    assert.deepEqual(
      lines,
      ['iptables', 'iptables_lock', 'interface_add', 'interface_check', 'configmap'].map(
        (kind) => `${name}{errortype="${kind}"} ${kind === 'iptables_lock' ? 1 : 0}`,
      ),
    )
  }
})
