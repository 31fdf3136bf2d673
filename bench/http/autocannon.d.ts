// What is used of autocannon, which comes without types. @see its README, "API"

declare module 'autocannon' {
  interface Options {
    readonly url: string
    /** Kept open; each has one request under way at any time. */
    readonly connections: number
    /** Seconds. */
    readonly duration: number
    /** Milliseconds between two looks at whether the time is over. */
    readonly sampleInt: number
    /** Seconds that a response may take. */
    readonly timeout: number
  }

  interface Result {
    /** Failed connections and requests without a response in time. */
    readonly errors: number
  }

  interface Instance {
    on(event: 'response', listen: (client: unknown, status: number, octets: number, milliseconds: number) => void): this
  }

  export default function autocannon(options: Options, ended: (error: Error | null, result: Result) => void): Instance
}
