// `prometheus [ADDRESS] { runtime_metrics; tls FILE }`.

import { argumentsOf, flag, httpAddress, only, pathOf, single, unknownProperty } from './arguments.ts'
import type { Setup } from './setup.ts'

const DEFAULT_ADDRESS = { host: 'localhost', port: 9153 }

/** @see Corefile reference 5.5 */
export const setup: Setup<'prometheus'> = (directives, context) => {
  const directive = single(directives)
  const [address] = argumentsOf(directive, 0, 1)
  let runtimeMetrics = false
  let tlsFile = ''
  for (const property of directive.properties) {
    switch (property.name.text) {
      case 'runtime_metrics':
        runtimeMetrics = flag(property)
        context.withoutEffect(property.name, "prometheus runtime_metrics: Go's runtime is not here to be measured")
        break
      case 'tls':
        tlsFile = pathOf(only(property), context)
        break
      default:
        throw unknownProperty(property)
    }
  }
  return { address: address === undefined ? DEFAULT_ADDRESS : httpAddress(address), runtimeMetrics, tlsFile }
}
