import type { INotebookContent } from '@jupyterlab/nbformat';
import { NotebookModel } from '@jupyterlab/notebook';
import { Signal } from '@lumino/signaling';
import * as Y from 'yjs';

import type { IBase } from '../models/draftbase';
import type { IDraftContext } from '../models/draftcontext';
import { DraftSession } from '../models/draftsession';
import type { IShelved } from '../models/draftshelf';
import type { Json } from './books';

/** What a server that understands drafts keeps. */
export class Server {
  readonly drafts = new Map<
    string,
    { doc: Y.Doc; base: IBase | null; content: unknown }
  >();
  readonly sizes: number[] = [];
  readonly ended: string[] = [];
  failure: Error | null = null;

  async beginDraft(
    _: string,
    draft: string,
    base: IBase | null,
    content: unknown,
    update: Uint8Array
  ): Promise<void> {
    this.receive(update);
    const doc = this.drafts.get(draft)?.doc ?? new Y.Doc();
    Y.applyUpdate(doc, update);
    this.drafts.set(draft, { doc, base, content });
  }

  async appendDraft(
    _: string,
    draft: string,
    update: Uint8Array
  ): Promise<void> {
    this.receive(update);
    const known = this.drafts.get(draft);
    if (!known) {
      throw Object.assign(new Error('gone'), { code: 'unknown_draft' });
    }
    Y.applyUpdate(known.doc, update);
  }

  async endDraft(_: string, draft: string, how: string): Promise<void> {
    this.ended.push(`${draft} ${how}`);
  }

  async discardDraft(_: string, draft: string): Promise<void> {
    this.drafts.delete(draft);
  }

  /** What the cells that were touched say, and in which order all stand. */
  get told(): { cells: Record<string, string>; order: unknown } {
    const [only] = [...this.drafts.values()];
    const cells = only.doc.getMap<Y.Map<unknown>>('cells').toJSON() as Record<
      string,
      Json
    >;
    const order = only.doc.getMap<string>('draft').get('order');
    return {
      cells: Object.fromEntries(
        Object.entries(cells).map(([key, cell]) => [key, String(cell.source)])
      ),
      order: order === undefined ? null : JSON.parse(order)
    };
  }

  outputs(key: string): unknown {
    const [only] = [...this.drafts.values()];
    const cell = only.doc.getMap<Y.Map<unknown>>('cells').get(key);
    return (cell?.get('outputs') as Y.Array<unknown>).toJSON();
  }

  metadata(key: string): unknown {
    const [only] = [...this.drafts.values()];
    const cell = only.doc.getMap<Y.Map<unknown>>('cells').get(key);
    return JSON.parse(String(cell?.get('metadata')));
  }

  private receive(update: Uint8Array): void {
    if (this.failure) {
      throw this.failure;
    }
    this.sizes.push(update.length);
  }
}

/** A browser that keeps drafts. */
export class Shelf {
  readonly kept = new Map<string, IShelved>();
  failure: Error | null = null;

  async put(shelved: IShelved): Promise<void> {
    if (this.failure) {
      throw this.failure;
    }
    this.kept.set(shelved.draft, shelved);
  }

  async remove(draft: string): Promise<void> {
    this.kept.delete(draft);
  }

  async list(): Promise<IShelved[]> {
    return [...this.kept.values()];
  }
}

/** A notebook that is open. */
export function contextOf(
  content: INotebookContent,
  collaborative = false,
  onRead: () => void = () => undefined
) {
  const model = new NotebookModel();
  if (collaborative) {
    Object.defineProperty(model, 'collaborative', { value: true });
  }
  model.fromJSON(content);
  model.dirty = false;
  const owner = {};
  const saveState = new Signal<object, string>(owner);
  const context = {
    localPath: 'a.ipynb',
    contentsModel: { hash: 'abc', hash_algorithm: 'sha256' },
    saveState,
    model,
    revert: async () => {
      onRead();
      model.fromJSON(content);
    }
  } as unknown as IDraftContext;
  return { model, context, saveState };
}

/** A notebook that is open, with a session that keeps its drafts. */
export function opened(
  content: INotebookContent,
  collaborative = false,
  onRead?: () => void
) {
  const { model, context, saveState } = contextOf(
    content,
    collaborative,
    onRead
  );
  const server = new Server();
  const shelf = new Shelf();
  let count = 0;
  const session = new DraftSession(context, server, shelf, {
    server: 'http://here/',
    name: () => `draft-${++count}`
  });
  return { model, context, saveState, server, shelf, session };
}
