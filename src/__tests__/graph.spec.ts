import {
  besides,
  bridgeGaps,
  type IDot,
  layoutGraph,
  widthOf
} from '../models/graph';

/** `b<a` is a dot b that was made from a; `.` is a row without a dot. */
function dots(text: string): (IDot | null)[] {
  return text.split(' ').map(word => {
    const [id, parent] = word.split('<');
    return word === '.' ? null : { id, parent: parent ?? null };
  });
}

const columns = (text: string, goesOn = false) =>
  layoutGraph(dots(text), goesOn).map(row => row.column);

describe('layoutGraph', () => {
  it('draws one line where each state follows the one before', () => {
    const rows = layoutGraph(dots('c<b b<a a'));
    expect(rows).toEqual([
      { column: 0, above: [], below: [0] },
      { column: 0, above: [[0, 0]], below: [0] },
      { column: 0, above: [[0, 0]], below: [] }
    ]);
  });

  it('draws the line that was left beside the one that goes on', () => {
    // c is the present, made by going back from b to a.
    const rows = layoutGraph(dots('d<c c<a b<a a'));
    expect(rows.map(row => row.column)).toEqual([0, 0, 1, 0]);
    expect(rows[2]).toEqual({ column: 1, above: [[0, 0]], below: [0, 1] });
    expect(rows[3].above).toEqual([
      [0, 0],
      [1, 0]
    ]);
    expect(widthOf(rows)).toBe(2);
  });

  it('uses a column again once its line has ended', () => {
    expect(columns('e<d d<c x<c c<b y<b b')).toEqual([0, 0, 1, 0, 1, 0]);
  });

  it('lets lines through rows without a dot', () => {
    const rows = layoutGraph(dots('. b<a . a .'));
    expect(rows[0]).toEqual({ column: null, above: [], below: [] });
    expect(rows[2]).toEqual({ column: null, above: [[0, 0]], below: [0] });
    expect(rows[4].above).toEqual([]);
  });

  it('ends a line whose parent is gone, and goes on below where there is more', () => {
    expect(layoutGraph(dots('c<gone b'))[0].below).toEqual([]);
    expect(layoutGraph(dots('c<older b<older'), true)[1].below).toEqual([0, 1]);
  });

  it('draws each dot once and joins every line at its parent', () => {
    // Hundreds of random histories: what must hold of every graph.
    let seed = 1;
    const random = (below: number) => {
      seed = (seed * 48271) % 2147483647;
      return seed % below;
    };
    for (let round = 0; round < 400; round++) {
      const count = 1 + random(12);
      const list: IDot[] = [];
      for (let at = 0; at < count; at++) {
        const parent = at && random(5) ? String(random(at)) : null;
        list.unshift({ id: String(at), parent });
      }
      const rows = layoutGraph(list);
      const position = new Map(list.map((dot, at) => [dot.id, at]));
      list.forEach(({ parent }, child) => {
        let column = rows[child].column as number;
        const end = parent === null ? child : (position.get(parent) as number);
        for (let at = child + 1; at <= end; at++) {
          expect(rows[at - 1].below).toContain(column);
          const line = rows[at].above.find(([from]) => from === column);
          column = (line as [number, number])[1];
        }
        expect(column).toBe(rows[end].column);
      });
      rows.forEach((row, at) => {
        const from = row.above.map(line => line[0]);
        expect(from).toEqual(at ? rows[at - 1].below : []);
        expect(new Set(row.below).size).toBe(row.below.length);
      });
    }
  });
});

describe('bridgeGaps', () => {
  it('takes the next older state of the run where the parent has expired', () => {
    const states = [
      { id: 'd', parent: 'c', run: '1' },
      { id: 'x', parent: null, run: '2' },
      { id: 'b', parent: 'a', run: '1' }
    ];
    expect(bridgeGaps(states).map(one => one.parent)).toEqual(['b', null, 'a']);
  });
});

describe('besides', () => {
  it('puts one graph to the right of the other', () => {
    const left = layoutGraph(dots('b<a . a .'));
    const right = layoutGraph(dots('. d<c . c'));
    const both = besides(left, right);
    expect(both.map(row => row.column)).toEqual([0, 1, 0, 1]);
    expect(both[2]).toEqual({
      column: 0,
      above: [
        [0, 0],
        [1, 1]
      ],
      below: [1]
    });
  });
});
