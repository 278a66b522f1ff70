import React from 'react';

import type { IGraphRow } from '../models/graph';

const STEP = 12;
const MOST = 6;

/** How far from the upper edge of its row a dot stands: beside the first line of text. */
const MIDDLE = 15;

const x = (column: number) => (Math.min(column, MOST - 1) + 0.75) * STEP;

/** How wide a graph of so many columns is, in pixels; those beyond the sixth share one place. */
export const graphWidth = (columns: number): number =>
  columns ? (Math.min(columns, MOST) + 0.5) * STEP : 0;

interface IGraphProps {
  row: IGraphRow;
  width: number;
  /** How the dot looks. */
  kind: string;
}

/** The lines beside one row. What they say is said in words, too: they are not read aloud. */
export const Graph = React.memo(function Graph(
  props: IGraphProps
): React.ReactElement {
  const { row, width, kind } = props;
  return (
    <span className="jp-Rewind-graph" style={{ width }} aria-hidden="true">
      <svg width={width} height={MIDDLE}>
        {row.above.map(([from, to]) => (
          <path
            key={from}
            className={`jp-mod-column${from % MOST}`}
            d={
              from === to
                ? `M${x(from)} 0V${MIDDLE}`
                : `M${x(from)} 0C${x(from)} ${MIDDLE},${x(to)} 0,${x(to)} ${MIDDLE}`
            }
          />
        ))}
      </svg>
      {row.below.map(column => (
        <i
          key={column}
          className={`jp-mod-column${column % MOST}`}
          style={{ left: x(column) - 1, top: MIDDLE }}
        />
      ))}
      {row.column !== null && (
        <b
          className={`jp-mod-column${row.column % MOST} jp-mod-${kind}`}
          style={{ left: x(row.column) - 5, top: MIDDLE - 5 }}
        />
      )}
    </span>
  );
});
