// What the templates of plugin template see: fields of a query, of the match and of its variables.

import type { RegexpMatch } from '../config/regexp.ts'
import { className, typeName } from '../dns/record-types.ts'
import { Struct, type Value } from './go-template/values.ts'
import type { Request } from './plugin.ts'

/** Fields `.Zone .Name .Class .Type .Match .Group .Message .Question .Remote .Var .Meta`. */
export function templateData(
  request: Request,
  zone: string,
  match: RegexpMatch,
  variables: ReadonlyMap<string, Value>,
): Struct {
  const { question, client, metadata } = request
  const groups = match.groups.map((group) => group ?? '')
  return new Struct('templateData', {
    Zone: zone,
    Name: question.name,
    Class: className(question.class),
    Type: typeName(question.type),
    Match: groups,
    Group: new Map([...groups.map((group, index) => [String(index), group] as const), ...match.named]),
    Message: messageOf(request),
    Question: questionOf(request),
    Remote: client.address,
    Var: variables,
    Meta: (...labels: Value[]) => metadata?.get(String(labels[0]))?.() ?? '',
  })
}

function questionOf({ question }: Request): Struct {
  return new Struct('Question', {
    Name: question.name,
    Qtype: BigInt(question.type),
    Qclass: BigInt(question.class),
  })
}

function messageOf(request: Request): Struct {
  return new Struct('Msg', {
    Id: BigInt(request.id),
    Response: false,
    Opcode: BigInt(request.opcode),
    Authoritative: false,
    Truncated: false,
    RecursionDesired: request.recursionDesired,
    RecursionAvailable: false,
    Zero: false,
    AuthenticatedData: request.authenticData,
    CheckingDisabled: request.checkingDisabled,
    Rcode: 0n,
    Question: [questionOf(request)],
    Answer: [],
    Ns: [],
    Extra: [],
  })
}
