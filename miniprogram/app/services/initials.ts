/** The first letter of a name, for the circle beside it; of a user id the first one that tells users apart. */
export function initialOf(name: string): string {
  const [first = ''] = Array.from(name.replace(/^u_/, ''))
  return first.toUpperCase()
}
