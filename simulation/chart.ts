/** One line of a chart: a value for each step along the x axis. */
export type Line = { readonly label: string; readonly color: string; readonly values: readonly number[] }

export type Chart = {
  readonly title: string
  readonly xLabel: string
  /** Of the steps along the x axis, what one is worth. */
  readonly xStep: number
  readonly lines: readonly Line[]
  /** What happened, from a step on for so many. */
  readonly spans: readonly { readonly label: string; readonly from: number; readonly length: number }[]
}

const WIDTH = 900
const HEIGHT = 320
const LEFT = 70
const RIGHT = 20
const TOP = 56
const BOTTOM = 46
const TICKS = 4

/** A chart as SVG, for light and dark pages alike. */
export function drawChart({ title, xLabel, xStep, lines, spans }: Chart): string {
  const steps = Math.max(1, ...lines.map(({ values }) => values.length - 1))
  const tick = niceCeiling(Math.max(1, ...lines.flatMap(({ values }) => values)) / TICKS)
  const most = tick * TICKS
  const x = (step: number): number => LEFT + (step / steps) * (WIDTH - LEFT - RIGHT)
  const y = (value: number): number => HEIGHT - BOTTOM - (value / most) * (HEIGHT - TOP - BOTTOM)
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${HEIGHT}" font-family="sans-serif" font-size="12" fill="#777">`,
    `<title>${escapeText(title)}</title>`,
    `<text x="${LEFT}" y="20" font-size="15" fill="#555">${escapeText(title)}</text>`,
    ...spans.flatMap((span, index) => drawSpan(span, index, x)),
    ...ticksTo(most, tick).flatMap((value) => [
      `<path d="M${LEFT} ${round(y(value))}H${WIDTH - RIGHT}" stroke="#777" stroke-opacity=".25"/>`,
      `<text x="${LEFT - 8}" y="${round(y(value) + 4)}" text-anchor="end">${short(value)}</text>`,
    ]),
    ...ticksTo(steps, niceCeiling(steps / (2 * TICKS))).map((step) => {
      const label = short(Math.round(step * xStep * 10) / 10)
      return `<text x="${round(x(step))}" y="${HEIGHT - BOTTOM + 18}" text-anchor="middle">${label}</text>`
    }),
    `<text x="${(LEFT + WIDTH - RIGHT) / 2}" y="${HEIGHT - 8}" text-anchor="middle">${escapeText(xLabel)}</text>`,
    ...lines.map(({ values, color }) => {
      const points = values.map((value, step) => `${round(x(step))} ${round(y(value))}`)
      return `<polyline points="${points.join(' ')}" fill="none" stroke="${color}" stroke-width="1.5"/>`
    }),
    ...drawLegend(lines),
    '</svg>\n',
  ].join('\n')
}

/** Labels of neighbours stand on two rows. */
function drawSpan({ label, from, length }: Chart['spans'][number], index: number, x: (step: number) => number) {
  const width = Math.max(2, x(from + length) - x(from))
  return [
    `<rect x="${round(x(from))}" y="${TOP}" width="${round(width)}" height="${HEIGHT - TOP - BOTTOM}" fill="#c60" fill-opacity=".18"/>`,
    `<text x="${round(x(from) + 3)}" y="${TOP + 12 + 14 * (index % 2)}" font-size="11">${escapeText(label)}</text>`,
  ]
}

function drawLegend(lines: readonly Line[]): string[] {
  let left = LEFT
  return lines.map(({ label, color }) => {
    const at = left
    left += 34 + label.length * 7
    return `<path d="M${at} 38h18" stroke="${color}" stroke-width="3"/><text x="${at + 24}" y="42">${escapeText(label)}</text>`
  })
}

/** The next of 1, 1.5, 2, 3, 4, 5 and so on, times a power of ten: what a person counts in. */
function niceCeiling(value: number): number {
  const power = 10 ** Math.floor(Math.log10(value))
  return power * [1, 1.5, 2, 3, 4, 5, 6, 8, 10].find((each) => each * power >= value)!
}

function ticksTo(most: number, tick: number): number[] {
  return Array.from({ length: Math.floor(most / tick) + 1 }, (_, index) => index * tick)
}

/** `40k`, `1.2M` */
function short(value: number): string {
  if (value >= 1e6) return `${round(value / 1e6)}M`
  return value >= 10_000 ? `${round(value / 1000)}k` : String(round(value))
}

function round(value: number): number {
  return Math.round(value * 10) / 10
}

function escapeText(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;')
}
