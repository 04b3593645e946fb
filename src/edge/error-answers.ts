import type { ErrorsPolicy } from '../policy.ts'
import { errorObject, errorPage } from './error-page.ts'
import type { Answer } from './exchange/answer.ts'
import type { Fields, RequestHead } from './exchange/exchange.ts'
import type { HttpDate } from './http-date.ts'
import { weightedList } from './weighted-list.ts'

/** The whole response for a status of our own making; `requestId` is what to ask the operator about. */
export type ErrorAnswers = (status: number, request: Pick<RequestHead, 'fields'>, requestId: string) => Answer

/** Those of a site that has none of its own. */
export function plainErrorAnswers(date: HttpDate): ErrorAnswers {
  return errorAnswersOf(date, errorPage)
}

/** Those of the operator, where there are any for a status. `pages` has the texts. */
export function ownErrorAnswers(
  { byStatus, otherwise }: ErrorsPolicy,
  pages: Readonly<Record<string, string>>,
  date: HttpDate,
): ErrorAnswers {
  const texts = new Map(byStatus.map(({ status, page }) => [status, pages[page]]))
  const other = otherwise === undefined ? undefined : pages[otherwise]
  return errorAnswersOf(date, (status, requestId) => {
    const text = texts.get(status) ?? other
    return text === undefined ? errorPage(status, requestId) : filled(text, status, requestId)
  })
}

/** Replaces what a page may have in it. An id has no character that means anything in HTML. */
export function filled(page: string, status: number, requestId: string): string {
  return page.replaceAll(/\{(status|requestId)\}/g, (_, name) => (name === 'status' ? String(status) : requestId))
}

/** `Vary` is not needed where nothing is stored. */
function errorAnswersOf(date: HttpDate, pageOf: (status: number, requestId: string) => string): ErrorAnswers {
  return (status, { fields }, requestId) => {
    const isForProgram = prefersJson(fields)
    const type = isForProgram ? 'application/json' : 'text/html; charset=utf-8'
    return {
      status,
      fields: ['Date', date.now(), 'Content-Type', type, 'Cache-Control', 'no-store'],
      text: isForProgram ? errorObject(status, requestId) : pageOf(status, requestId),
    }
  }
}

/** JSON is named, and HTML is not named ahead of it: browsers name HTML, and programs that take anything get a page. */
export function prefersJson(fields: Fields): boolean {
  let [json, html] = [0, 0]
  for (let at = 0; at < fields.length; at += 2) {
    if (fields[at]!.toLowerCase() !== 'accept') continue
    for (const { name, weight } of weightedList(fields[at + 1]!)) {
      if (name === 'text/html' || name === 'application/xhtml+xml') html = Math.max(html, weight)
      else if (name === 'application/json' || name === 'application/problem+json') json = Math.max(json, weight)
    }
  }
  return json > html
}
