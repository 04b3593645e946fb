/** What a person must do about names for which a CA takes no more orders. */
export function describePause({ names }: { readonly names: readonly string[] }, unpauseUrl: string): string {
  return `its CA takes no more orders for it: go to ${unpauseUrl} and then say "castellan certs retry ${names[0]}"`
}
