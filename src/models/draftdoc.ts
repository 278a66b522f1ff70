import type { INotebookModel } from '@jupyterlab/notebook';
import * as Y from 'yjs';

export type SharedNotebook = INotebookModel['sharedModel'];
export type SharedCell = SharedNotebook['cells'][number];

/** What of a cell was changed. */
export type Field =
  | 'source'
  | 'outputs'
  | 'metadata'
  | 'execution_count'
  | 'attachments'
  | 'cell_type'
  | 'id';

const ALL: readonly Field[] = [
  'cell_type',
  'id',
  'source',
  'metadata',
  'outputs',
  'execution_count',
  'attachments'
];

/** What of a cell's change means which fields. */
const FIELDS: Record<string, Field> = {
  sourceChange: 'source',
  outputsChange: 'outputs',
  streamOutputChange: 'outputs',
  executionCountChange: 'execution_count',
  metadataChange: 'metadata',
  attachmentsChange: 'attachments'
};

/** An output as it was written last: what stays, and the text that may grow. */
interface IWritten {
  rest: string;
  text: string | null;
}

type Output = Record<string, unknown>;

/**
 * What was changed in a notebook since one moment, as a Yjs document of its own.
 *
 * It holds what was touched, and nothing of the rest: its updates are as small as the edits. Cells
 * that were there go by their place then, others by names of its own. `draftdoc.py` reads it.
 */
export class DraftDoc {
  constructor(cells: readonly SharedCell[]) {
    cells.forEach((cell, place) => this._keys.set(cell, String(place)));
  }

  /** Whether something was changed, written or not. */
  get isChanged(): boolean {
    return this._isChanged;
  }

  /** The cells of which something was changed; some may be gone. */
  get cells(): ReadonlySet<SharedCell> {
    return this._cells;
  }

  /** `fields` of a cell were changed. */
  note(cell: SharedCell, ...fields: Field[]): void {
    this._isChanged = true;
    this._cells.add(cell);
    const noted = this._touched.get(cell) ?? new Set<Field>();
    fields.forEach(field => noted.add(field));
    this._touched.set(cell, noted);
  }

  /** Cells came, went or moved. */
  noteOrder(): void {
    this._isChanged = true;
    this._isReordered = true;
  }

  /** The notebook's metadata were changed; `byUser` is false for what a kernel says of itself. */
  noteMetadata(byUser: boolean): void {
    this._isChanged = this._isChanged || byUser;
    this._isRelabelled = true;
  }

  /** Takes what was changed from the notebook as it is now. */
  write(notebook: SharedNotebook): void {
    const present = notebook.cells;
    this._doc.transact(() => {
      const head = this._doc.getMap<string>('draft');
      if (!head.has('format')) {
        head.set('format', '1');
      }
      if (this._isReordered) {
        head.set('order', JSON.stringify(this.order(present)));
      }
      if (this._isRelabelled) {
        head.set('metadata', JSON.stringify(notebook.getMetadata()));
        head.set('nbformat_minor', JSON.stringify(notebook.nbformat_minor));
      }
      if (this._touched.size) {
        const there = new Set(present);
        this._touched.forEach((fields, cell) => {
          if (there.has(cell)) {
            this.writeCell(cell, fields);
          }
        });
      }
    });
    this._touched.clear();
    this._isReordered = this._isRelabelled = false;
  }

  /** What is written and not yet in a document of this state. */
  updateSince(state: Uint8Array | null): Uint8Array {
    return state
      ? Y.encodeStateAsUpdate(this._doc, state)
      : Y.encodeStateAsUpdate(this._doc);
  }

  /** How far it is written. */
  get state(): Uint8Array {
    return Y.encodeStateVector(this._doc);
  }

  dispose(): void {
    this._cells.clear();
    this._doc.destroy();
  }

  /** Runs of cells that were there, and others by name; these are noted whole when they are new. */
  private order(present: readonly SharedCell[]): (string | [number, number])[] {
    const order: (string | [number, number])[] = [];
    for (const cell of present) {
      let key = this._keys.get(cell);
      if (key === undefined) {
        key = `n${this._named++}`;
        this._keys.set(cell, key);
        this.note(cell, ...ALL);
      }
      const place = Number(key);
      if (Number.isNaN(place)) {
        order.push(key);
        continue;
      }
      const last = order[order.length - 1];
      if (Array.isArray(last) && last[0] + last[1] === place) {
        last[1] += 1;
      } else {
        order.push([place, 1]);
      }
    }
    return order;
  }

  private writeCell(cell: SharedCell, fields: Set<Field>): void {
    const key = this._keys.get(cell);
    if (key === undefined) {
      return;
    }
    const cells = this._doc.getMap<Y.Map<unknown>>('cells');
    let map = cells.get(key);
    if (!map) {
      map = new Y.Map<unknown>();
      cells.set(key, map);
    }
    for (const field of fields) {
      if (field === 'source') {
        writeText(map, 'source', cell.getSource());
      } else if (field === 'outputs') {
        if ('getOutputs' in cell) {
          this.writeOutputs(cell, map, cell.getOutputs() as Output[]);
        }
      } else {
        map.set(field, fieldText(cell, field));
      }
    }
  }

  /** Only what is new of the outputs: a long stream is not sent again with each line. */
  private writeOutputs(
    cell: SharedCell,
    map: Y.Map<unknown>,
    outputs: readonly Output[]
  ): void {
    let array = map.get('outputs') as Y.Array<unknown> | undefined;
    if (!array) {
      array = new Y.Array<unknown>();
      map.set('outputs', array);
    }
    const before = this._outputs.get(cell) ?? [];
    const now = outputs.map(asWritten);
    let at = 0;
    while (at < before.length && at < now.length) {
      const [old, fresh] = [before[at], now[at]];
      if (
        old.rest !== fresh.rest ||
        (old.text === null) !== (fresh.text === null)
      ) {
        break;
      }
      if (old.text !== fresh.text) {
        growText(
          array.get(at) as Y.Map<unknown>,
          old.text ?? '',
          fresh.text ?? ''
        );
      }
      at += 1;
    }
    if (at < before.length) {
      array.delete(at, before.length - at);
    }
    if (at < now.length) {
      array.insert(at, now.slice(at).map(asShared));
    }
    this._outputs.set(cell, now);
  }

  private readonly _cells = new Set<SharedCell>();
  private readonly _doc = new Y.Doc();
  private readonly _keys = new WeakMap<SharedCell, string>();
  private readonly _outputs = new WeakMap<SharedCell, IWritten[]>();
  private readonly _touched = new Map<SharedCell, Set<Field>>();
  private _isChanged = false;
  private _isRelabelled = false;
  private _isReordered = false;
  private _named = 0;
}

/** A field as JSON; empty where the cell has none. */
function fieldText(cell: SharedCell, field: Field): string {
  switch (field) {
    case 'metadata': {
      // Whether its outputs may run is for each browser to say.
      const metadata = { ...cell.getMetadata() } as Output;
      delete metadata.trusted;
      return JSON.stringify(metadata);
    }
    case 'execution_count':
      return 'execution_count' in cell
        ? JSON.stringify(cell.execution_count ?? null)
        : '';
    case 'attachments': {
      const told = 'getAttachments' in cell ? cell.getAttachments() : undefined;
      return told && Object.keys(told).length ? JSON.stringify(told) : '';
    }
    case 'cell_type':
      return JSON.stringify(cell.cell_type);
    default:
      return JSON.stringify(cell.getId());
  }
}

function asWritten(output: Output): IWritten {
  if (output.output_type !== 'stream') {
    return { rest: JSON.stringify(output), text: null };
  }
  const { text, ...rest } = output;
  const told = Array.isArray(text) ? text.join('') : String(text ?? '');
  return { rest: JSON.stringify(rest), text: told };
}

function asShared(output: IWritten): unknown {
  if (output.text === null) {
    return output.rest;
  }
  const map = new Y.Map<unknown>();
  map.set('output', output.rest);
  map.set('text', new Y.Text(output.text));
  return map;
}

/**
 * Makes the text of a stream, which was `before`, equal to `now`. Megabytes that only grow are not
 * gone through letter by letter.
 */
function growText(map: Y.Map<unknown>, before: string, now: string): void {
  const text = map.get('text');
  const isHalf = isHigh(before.charCodeAt(before.length - 1));
  if (text instanceof Y.Text && !isHalf && now.startsWith(before)) {
    text.insert(before.length, now.slice(before.length));
  } else {
    writeText(map, 'text', now);
  }
}

/** Makes a text in a map equal to `now`, touching only what lies between equal ends. */
function writeText(map: Y.Map<unknown>, name: string, now: string): void {
  const text = map.get(name);
  if (!(text instanceof Y.Text)) {
    map.set(name, new Y.Text(now));
    return;
  }
  const before = text.toString();
  const shorter = Math.min(before.length, now.length);
  let front = 0;
  while (front < shorter && before[front] === now[front]) {
    front += 1;
  }
  let back = 0;
  while (
    back < shorter - front &&
    before[before.length - 1 - back] === now[now.length - 1 - back]
  ) {
    back += 1;
  }
  // Half of a surrogate pair alone cannot be sent.
  if (front && isHigh(now.charCodeAt(front - 1))) {
    front -= 1;
  }
  if (back && isLow(now.charCodeAt(now.length - back))) {
    back -= 1;
  }
  if (before.length - front - back > 0) {
    text.delete(front, before.length - front - back);
  }
  if (now.length - front - back > 0) {
    text.insert(front, now.slice(front, now.length - back));
  }
}

const isHigh = (unit: number) => unit >= 0xd800 && unit < 0xdc00;
const isLow = (unit: number) => unit >= 0xdc00 && unit < 0xe000;

/** What a change touched of its cell that is worth keeping. */
export function touchedFields(change: object): Field[] {
  const fields = Object.keys(change)
    .map(name => FIELDS[name])
    .filter(field => field !== undefined);
  const isTrustAlone =
    fields.length === 1 && fields[0] === 'metadata' && isTrust(change);
  return isTrustAlone ? [] : fields;
}

/** Whether nothing of the metadata but the trust in a cell's outputs changed. */
function isTrust(change: object): boolean {
  const { metadataChange } = change as {
    metadataChange?: Map<string, unknown>;
  };
  return metadataChange
    ? [...metadataChange.keys()].every(key => key === 'trusted')
    : false;
}
