/**
 * The sides of the sibling nodes on the audit path of a leaf, from the leaf to the root (RFC 6962, section 2.1.1).
 */
export function siblingSides(index: number, size: number): readonly ('left' | 'right')[] {
  const sides: ('left' | 'right')[] = []
  let node = index
  for (let last = size - 1; last > 0; last = Math.floor(last / 2)) {
    if (node % 2 === 1) sides.push('left')
    else if (node < last) sides.push('right')
    node = Math.floor(node / 2)
  }
  return sides
}
