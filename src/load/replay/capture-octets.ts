// The octets of a capture file, one piece after the other, decompressed if need be. The file may be a pipe: it is read once.

import { type FileHandle, open } from 'node:fs/promises'
import type { Transform } from 'node:stream'
import { finished, pipeline } from 'node:stream/promises'
import { createGunzip, createZstdDecompress } from 'node:zlib'
import { LoadInputError } from '../input-error.ts'

const PIECE_LENGTH = 1 << 18
/** Octets that tell compressed files, RFC 1952 §2.3.1 and RFC 8878 §3.1.1. */
const MAGIC_LENGTH = 4
const GZIP_MAGIC = '1f8b'
const ZSTD_MAGIC = '28b52ffd'

/** Is given the next octets, must not keep them, and says whether it wants more. */
export type OctetTaker = (octets: Uint8Array) => boolean

/**
 * Reads a file to its end, or until `take` has enough.
 *
 * @returns what is wrong with the compressed octets, part of a sentence, after everything before was handed on; '' if nothing is
 * @throws LoadInputError if there is no such file, it cannot be read, or it is empty
 */
export async function readOctets(path: string, take: OctetTaker): Promise<string> {
  const handle = await opened(path)
  try {
    const head = await readHead(handle)
    if (head.length === 0) throw new LoadInputError(`${path}: the file is empty`)
    const pieces = piecesOf(handle, head)
    const magic = head.toString('hex')
    if (magic.startsWith(GZIP_MAGIC)) return await decompress(pieces, createGunzip(), 'gzip', take)
    if (magic.startsWith(ZSTD_MAGIC)) return await decompress(pieces, createZstdDecompress(), 'zstd', take)
    for await (const piece of pieces) if (!take(piece)) break
    return ''
  } catch (error) {
    throw readable(path, error)
  } finally {
    await handle.close()
  }
}

async function opened(path: string): Promise<FileHandle> {
  try {
    return await open(path)
  } catch (error) {
    throw readable(path, error)
  }
}

/** Errors of the file system are the user's: they become a line that names the file. Others stay as they are. */
function readable(path: string, error: unknown): unknown {
  if (!(error instanceof Error) || !('syscall' in error) || !('code' in error)) return error
  if (error.code === 'ENOENT') return new LoadInputError(`${path}: no such file`)
  if (error.code === 'EISDIR') return new LoadInputError(`${path}: is a directory`)
  return new LoadInputError(`${path}: cannot be read (${error.code})`)
}

/** The first piece, of MAGIC_LENGTH octets at least unless the file is shorter. */
async function readHead(handle: FileHandle): Promise<Buffer> {
  let head: Buffer = Buffer.alloc(0)
  while (head.length < MAGIC_LENGTH) {
    const piece = await readPiece(handle)
    if (piece.length === 0) break
    head = Buffer.concat([head, piece])
  }
  return head
}

async function* piecesOf(handle: FileHandle, head: Buffer): AsyncGenerator<Buffer> {
  for (let piece = head; piece.length > 0; piece = await readPiece(handle)) yield piece
}

async function readPiece(handle: FileHandle): Promise<Buffer> {
  const { buffer, bytesRead } = await handle.read(Buffer.allocUnsafe(PIECE_LENGTH), 0, PIECE_LENGTH, null)
  return buffer.subarray(0, bytesRead)
}

/** Listens instead of iterating: an iterator drops what was decompressed before an error. */
async function decompress(
  pieces: AsyncGenerator<Buffer>,
  decompressor: Transform,
  name: string,
  take: OctetTaker,
): Promise<string> {
  let hasEnough = false
  decompressor.on('data', (octets: Buffer) => {
    try {
      hasEnough = !take(octets)
      if (hasEnough) decompressor.destroy()
    } catch (error) {
      decompressor.destroy(error as Error)
    }
  })
  // The pipeline has ended when everything is written; only then the decompressor says that something is missing.
  const [, ending] = await Promise.allSettled([pipeline(pieces, decompressor), finished(decompressor)])
  if (hasEnough || ending.status === 'fulfilled') return ''
  const error: unknown = ending.reason
  const code = error instanceof Error && 'code' in error ? String(error.code) : ''
  if (code === 'Z_BUF_ERROR') return `the ${name} data are cut off`
  if (code.startsWith('Z_') || code.startsWith('ZSTD_')) return `the ${name} data are damaged`
  throw error
}
