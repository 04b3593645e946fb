import { didYouMean } from '../config/suggestion.ts'
import { CastellanError } from '../errors.ts'
import type { AccountReport, Issuer } from './issuer.ts'

export const accountActions = ['show', 'rollover', 'deactivate'] as const
export type AccountAction = (typeof accountActions)[number]

export type AccountsErrorCode =
  /** No issuer has this name, or it has no accounts by its nature. */
  | 'issuer-unknown'
  /** There is nothing to act on. */
  | 'account-missing'

/** What was asked about accounts is about none (`facts.issuer`). */
export class AccountsError extends CastellanError {
  declare readonly code: AccountsErrorCode
}

/**
 * Does with the accounts of one issuer, or of all, what an operator has asked. Throws AccountsError, or the CastellanError
 * of what failed.
 */
export async function handleAccounts(
  issuers: Iterable<Pick<Issuer, 'name' | 'accounts'>>,
  { action, issuer }: { readonly action: AccountAction; readonly issuer: string | undefined },
  signal: AbortSignal,
): Promise<AccountReport[]> {
  const able = [...issuers].filter(({ accounts }) => accounts !== undefined)
  const meant = issuer === undefined ? able : able.filter(({ name }) => name === issuer)
  if (issuer !== undefined && meant.length === 0)
    throw unknownIssuer(
      issuer,
      able.map(({ name }) => name),
    )
  const reports: AccountReport[] = []
  for (const { accounts } of meant) reports.push(...(await act(accounts!, action, signal)))
  if (reports.length > 0 || action === 'show') return reports
  const whose = issuer === undefined ? 'any CA' : issuer
  throw new AccountsError('account-missing', `There is no account at ${whose} yet: it is made with the first order.`, {
    issuer,
  })
}

function act(
  accounts: NonNullable<Issuer['accounts']>,
  action: AccountAction,
  signal: AbortSignal,
): Promise<AccountReport[]> {
  switch (action) {
    case 'show':
      return accounts.show(signal)
    case 'rollover':
      return accounts.rollOver(signal)
    case 'deactivate':
      return accounts.deactivate(signal)
  }
}

/** @param names of the issuers that have accounts. */
export function unknownIssuer(issuer: string, names: readonly string[]): AccountsError {
  const hint = didYouMean(issuer, names) ?? `those with accounts are ${names.join(', ')}.`
  const message = `There is no issuer ${JSON.stringify(issuer)} with accounts; ${hint}`
  return new AccountsError('issuer-unknown', message, { issuer })
}
