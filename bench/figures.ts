/** What a scenario finds out about a peer: one row of the table. */
export type Metric = {
  readonly name: string
  readonly title: string
  readonly unit: string
}

/** The values of one round, by the metrics' names. */
export type Reading = Readonly<Record<string, number>>

/** How a peer fared in one scenario. */
export type Outcome =
  | { readonly type: 'measured'; readonly readings: readonly Reading[] }
  /** The program is not on this machine. */
  | { readonly type: 'absent'; readonly reason: string }
  /** It cannot do what the scenario asks for. */
  | { readonly type: 'unable'; readonly reason: string }
  /** It can, and yet it did not. */
  | { readonly type: 'failed'; readonly reason: string }

export type ScenarioFigures = {
  readonly scenario: string
  readonly metrics: readonly Metric[]
  /** By the peers' names, in the order of the table's columns. */
  readonly outcomes: ReadonlyMap<string, Outcome>
}

/** The middle one, or the mean of the middle two. `values` is not empty. */
export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b)
  const middle = sorted.length >> 1
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2
}

/** How far the rounds lie apart, as a share of their median: 0 if they all agree. */
export function spread(values: readonly number[]): number {
  const middle = median(values)
  return middle === 0 ? 0 : (Math.max(...values) - Math.min(...values)) / middle
}

/** The values of one metric, round by round. */
export function valuesOf(readings: readonly Reading[], { name }: Metric): number[] {
  return readings.map((reading) => {
    const value = reading[name]
    if (value === undefined) throw new RangeError(`a round has no ${name}`)
    return value
  })
}
