import { certificateRecommendations } from './certificates.ts'
import type { AuditFacts } from './facts.ts'
import { installationRecommendations } from './installation.ts'
import type { Judgement, Recommendation } from './recommendation.ts'
import { renewalRecommendations } from './renewal.ts'

/** In the order in which the guide has them. */
export const recommendations: readonly Recommendation[] = [
  ...installationRecommendations,
  ...certificateRecommendations,
  ...renewalRecommendations,
]

export type Audited = Pick<Recommendation, 'id' | 'text'> & Judgement

/** Each recommendation with what it comes to here. */
export function audit(facts: AuditFacts): Audited[] {
  return recommendations.map(({ id, text, judge }) => ({ id, text, ...judge(facts) }))
}
