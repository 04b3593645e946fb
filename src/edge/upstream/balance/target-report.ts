import type { TargetGroup } from './target-group.ts'

/** What a worker knows of one target. */
export type TargetReport = {
  /** As the config writes it. */
  readonly url: string
  readonly underWay: number
  /** Since the worker has known it. */
  readonly requests: number
  readonly failures: number
  /** It is left out, as it fails again and again. */
  readonly isLeftOut: boolean
}

/** All targets that have had a request of this worker, or could have had. */
export function reportTargets(groups: Iterable<TargetGroup>, now: number): TargetReport[] {
  const reports: TargetReport[] = []
  for (const { targets } of groups)
    for (const { url, underWay, requests, failures, marks } of targets)
      reports.push({ url, underWay, requests, failures, isLeftOut: marks.isMarked(now) })
  return reports
}
