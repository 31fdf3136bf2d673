// Certificates made for one test file, and trusted in its process: by what its threads do later, too.

import { execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

export interface Certificate {
  readonly cert: Buffer
  readonly key: Buffer
  readonly certFile: string
  readonly keyFile: string
}

const folder = mkdtempSync(join(tmpdir(), 'load-streams-'))
process.once('exit', () => rmSync(folder, { recursive: true, force: true }))

/** A self-signed one. @param names  as openssl has them: `DNS:dns.example,IP:127.0.0.1` */
export function makeCertificate(file: string, names: string): Certificate {
  const [certFile, keyFile] = [join(folder, `${file}.crt`), join(folder, `${file}.key`)]
  const curve = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '2']
  const subject = ['-subj', `/CN=${file}`, '-addext', `subjectAltName=${names}`]
  execFileSync('openssl', ['req', '-x509', ...curve, ...subject, '-keyout', keyFile, '-out', certFile], {
    stdio: 'ignore',
  })
  return { cert: readFileSync(certFile), key: readFileSync(keyFile), certFile, keyFile }
}

/** Makes it the only authority that is trusted. Call it before anything uses TLS. */
export function trust({ certFile }: Certificate): void {
  process.env.SSL_CERT_FILE = certFile
  process.env.SSL_CERT_DIR = join(folder, 'empty')
  mkdirSync(process.env.SSL_CERT_DIR, { recursive: true })
}
