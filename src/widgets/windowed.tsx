import React from 'react';

/** How many rows beyond those in view are drawn, so that the next ones stand there in time. */
const BESIDE = 8;

interface IWindowedProps<T> {
  items: readonly T[];
  keyOf: (item: T) => string;
  /** The height of a row that was never drawn, in pixels. */
  guess: (item: T) => number;
  render: (item: T, position: number) => React.ReactNode;
  /** The row to go to; another number is another request. */
  goal: { position: number; request: number } | null;
  /** What stands over the list while it begins with this row. */
  heading: (position: number) => React.ReactNode;
  /** The end of the list is near. */
  onEnd: () => void;
  label: string;
}

/**
 * A long list of which only the rows in view are in the page. Their heights are measured as they are
 * drawn; the browser's scroll anchoring keeps what is in view where it is.
 */
export function Windowed<T>(props: IWindowedProps<T>): React.ReactElement {
  const { items, keyOf, guess, goal, onEnd } = props;
  const box = React.useRef<HTMLDivElement>(null);
  const heights = React.useRef(new Map<string, number>());
  const [measured, noteMeasured] = React.useReducer((n: number) => n + 1, 0);
  const [view, setView] = React.useState({ top: 0, height: 0 });

  // `edges[n]` is where row n begins.
  const edges = React.useMemo(() => {
    const found = new Float64Array(items.length + 1);
    items.forEach((item, at) => {
      found[at + 1] =
        found[at] + (heights.current.get(keyOf(item)) ?? guess(item));
    });
    return found;
  }, [items, measured]);

  const first = rowAt(edges, view.top);
  const from = Math.max(0, first - BESIDE);
  const last = rowAt(edges, view.top + view.height);
  const to = Math.min(items.length, last + 1 + BESIDE);

  const look = () => {
    const node = box.current;
    if (node) {
      const { scrollTop: top, clientHeight: height } = node;
      setView(was =>
        was.top === top && was.height === height ? was : { top, height }
      );
    }
  };

  React.useLayoutEffect(() => {
    look();
    const observer = new ResizeObserver(look);
    if (box.current) {
      observer.observe(box.current);
    }
    return () => observer.disconnect();
  }, []);

  React.useLayoutEffect(() => {
    let changed = false;
    box.current?.querySelectorAll<HTMLElement>('[data-row]').forEach(node => {
      const item = items[Number(node.dataset.row)];
      const height = node.getBoundingClientRect().height;
      if (item && height && heights.current.get(keyOf(item)) !== height) {
        heights.current.set(keyOf(item), height);
        changed = true;
      }
    });
    if (changed) {
      noteMeasured();
    }
  });

  React.useLayoutEffect(() => {
    const node = box.current;
    if (node && goal && goal.position >= 0 && goal.position < items.length) {
      const middle = (edges[goal.position] + edges[goal.position + 1]) / 2;
      node.scrollTop = middle - node.clientHeight / 2;
      look();
    }
  }, [goal?.request]);

  React.useEffect(() => {
    if (view.height && edges[items.length] - view.top < 3 * view.height) {
      onEnd();
    }
  }, [view, edges]);

  return (
    <div
      className="jp-Rewind-list"
      ref={box}
      tabIndex={0}
      role="group"
      aria-label={props.label}
      onScroll={() => {
        keepFocus(box.current);
        look();
      }}
    >
      <div className="jp-Rewind-heading" aria-hidden="true">
        {items.length > 0 && props.heading(first)}
      </div>
      <div style={{ height: edges[from] }} />
      <div role="list">
        {items.slice(from, to).map((item, at) => (
          <div
            key={keyOf(item)}
            data-row={from + at}
            role="listitem"
            aria-setsize={items.length}
            aria-posinset={from + at + 1}
          >
            {props.render(item, from + at)}
          </div>
        ))}
      </div>
      <div style={{ height: edges[items.length] - edges[to] }} />
    </div>
  );
}

/** The row that covers `y`; the last one for what is below all. */
export function rowAt(edges: ArrayLike<number>, y: number): number {
  let [low, high] = [0, Math.max(0, edges.length - 2)];
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if (edges[middle] <= y) {
      low = middle;
    } else {
      high = middle - 1;
    }
  }
  return low;
}

/** Keeps the keyboard in the list when the row that has it leaves the page. */
function keepFocus(node: HTMLElement | null): void {
  const active = document.activeElement;
  if (!node || !active || active === node || !node.contains(active)) {
    return;
  }
  const [row, list] = [
    active.getBoundingClientRect(),
    node.getBoundingClientRect()
  ];
  if (
    row.bottom < list.top - list.height ||
    row.top > list.bottom + list.height
  ) {
    node.focus({ preventScroll: true });
  }
}
