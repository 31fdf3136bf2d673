// Flags of the blocks of zones out of files: what lies below a name. Set by zones/zone-nodes.ts, read by file.ts.

/** Zone cut: NS, but not at the apex. Only DS is answered here, all else is referred (RFC 1034 §4.2.1). */
export const CUT = 1
/** DNAME, and no zone cut: what lies below leads elsewhere (RFC 6672 §2.2). */
export const REDIRECTED = 2
/** Below a zone cut or a DNAME: glue at best. Empty non-terminals there have a block too, for this flag. */
export const OCCLUDED = 4
