/** The way from a leaf up to the root: at each level the hash that was there, and the one that it was joined with. */
import { encodeHex } from 'miniseal-protocol/text'
import { useLocalization } from './locales/texts.ts'
import type { TreePath } from './tree-path.ts'

const rowHeight = 46
const boxWidth = 116
const boxHeight = 24
const width = 420

interface TreeProps {
  readonly path: TreePath
  readonly index: number
  readonly size: number
}

interface DrawnNode {
  readonly hash: Uint8Array
  readonly x: number
  readonly y: number
  readonly kind: 'leaf' | 'way' | 'sibling' | 'root'
}

export function TreeDrawing({ path, index, size }: TreeProps) {
  const { translate, count } = useLocalization()
  const { nodes, height } = layOut(path)
  const way = nodes.filter(({ kind }) => kind !== 'sibling')
  return (
    <figure class="tree">
      <figcaption>
        {translate('tree')} · {translate('index')} {count(index)} / {count(size)} {translate('treeSize')}
      </figcaption>
      <svg
        viewBox={`0 0 ${width} ${height}`}
        width={width}
        height={height}
        role="img"
        aria-label={translate('treeLabel')}
      >
        {lines(path, nodes).map(({ from, to, isWay }) => (
          <path
            key={`${from.x} ${from.y}`}
            class={isWay ? 'edge way' : 'edge'}
            d={`M${from.x} ${from.y - boxHeight / 2} L${to.x} ${to.y + boxHeight / 2}`}
          />
        ))}
        {nodes.map((node) => (
          <Node key={`${node.x} ${node.y}`} node={node} />
        ))}
        <Caption node={way[0]} text={translate('treeLeaf')} />
        <Caption node={way.at(-1)} text={translate('treeRoot')} />
      </svg>
    </figure>
  )
}

/** The way in a column that sways, siblings on the side where they were. */
function layOut({ leaf, steps }: TreePath): {
  readonly nodes: readonly DrawnNode[]
  readonly height: number
} {
  const height = steps.length * rowHeight + boxHeight + 24
  const bottom = height - boxHeight / 2 - 6
  const left = width / 2 - boxWidth * 0.6
  const right = width / 2 + boxWidth * 0.6
  const nodes: DrawnNode[] = []
  let hash = leaf
  for (const [level, { sibling, isSiblingLeft, node }] of steps.entries()) {
    const y = bottom - level * rowHeight
    nodes.push({ hash, x: isSiblingLeft ? right : left, y, kind: level === 0 ? 'leaf' : 'way' })
    nodes.push({ hash: sibling, x: isSiblingLeft ? left : right, y, kind: 'sibling' })
    hash = node
  }
  const y = bottom - steps.length * rowHeight
  nodes.push({ hash, x: width / 2, y, kind: 'root' })
  return { nodes, height }
}

interface Line {
  readonly from: DrawnNode
  readonly to: DrawnNode
  readonly isWay: boolean
}

/** Each pair is joined into the node of the way that is above it. */
function lines({ steps }: TreePath, nodes: readonly DrawnNode[]): readonly Line[] {
  return steps.flatMap((_, level) => {
    const [from, sibling, to] = [nodes[2 * level], nodes[2 * level + 1], nodes[2 * level + 2]]
    if (from === undefined || sibling === undefined || to === undefined) return []
    return [
      { from, to, isWay: true },
      { from: sibling, to, isWay: false },
    ]
  })
}

function Node({ node: { hash, x, y, kind } }: { readonly node: DrawnNode }) {
  return (
    <g class={`node ${kind}`}>
      <title>{encodeHex(hash)}</title>
      <rect x={x - boxWidth / 2} y={y - boxHeight / 2} width={boxWidth} height={boxHeight} rx="4" />
      <text x={x} y={y + 4} text-anchor="middle">
        {encodeHex(hash).slice(0, 12)}
      </text>
    </g>
  )
}

/** Beside a box: to its right, where the box is not at the right itself. */
function Caption({ node, text }: { readonly node: DrawnNode | undefined; readonly text: string }) {
  if (node === undefined) return null
  const isRight = node.x > width / 2
  const x = isRight ? node.x + boxWidth / 2 + 6 : node.x - boxWidth / 2 - 6
  return (
    <text class="caption" x={x} y={node.y + 4} text-anchor={isRight ? 'start' : 'end'}>
      {text}
    </text>
  )
}
