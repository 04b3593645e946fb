import type { Notice } from '../notices/trouble.ts'
import type { Finding } from './finding.ts'

/** What a person was told of and is not over; that of other names than those that are looked at is left out. */
export function examineNotices(notices: readonly Notice[], chosen: readonly string[]): Finding[] {
  const meant = notices.filter(({ names }) => names.length === 0 || names.some((name) => chosen.includes(name)))
  if (meant.length === 0) return [{ check: 'notices', subject: 'all', level: 'ok', seen: 'none is open' }]
  return meant.map(({ id, severity, names, title, said, remedy }) => ({
    check: 'notices',
    subject: names.length > 1 ? `${names[0]} +${names.length - 1}` : (names[0] ?? id),
    level: severity === 'error' ? 'fail' : 'warn',
    seen: `${title}: ${said}`,
    advice: remedy,
  }))
}
