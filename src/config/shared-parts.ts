import type { Route, Site, SiteAction } from './config.ts'

/**
 * Lets sites share what is equal in them. Most of thousands have the same timeouts, kinds of keys and issuers, many the same
 * upstream, and every process holds all sites: equal parts make up two thirds of them.
 */
export class SharedParts {
  readonly #known = new Map<string, unknown>()

  site(site: Site): Site {
    const { action, policy, routes, hsts, keys, issuers, tls, concurrency } = site
    return {
      ...site,
      action: this.#action(action),
      policy: this.#one(policy),
      routes: this.#one(routes.map((route) => this.#route(route))),
      hsts: this.#one(hsts),
      tls: this.#one(tls),
      concurrency: this.#one(concurrency),
      keys: this.#one(keys),
      issuers: this.#one(issuers),
    }
  }

  #route(route: Route): Route {
    return { ...route, action: this.#action(route.action), policy: this.#one(route.policy) }
  }

  #action(action: SiteAction): SiteAction {
    if (action.type !== 'proxy') return this.#one(action)
    const { upstream } = action
    const timeouts = this.#one(upstream.timeouts)
    const tls = this.#one(upstream.tls)
    const balancing = this.#one(upstream.balancing)
    return this.#one({ ...action, upstream: { ...upstream, balancing, timeouts, tls } })
  }

  /** The first that was equal. What JSON leaves out, undefined, stands for itself: equal types have equal keys. */
  #one<T>(part: T): T {
    if (part === undefined) return part
    const content = JSON.stringify(part)
    const known = this.#known.get(content)
    if (known !== undefined) return known as T
    this.#known.set(content, part)
    return part
  }
}
