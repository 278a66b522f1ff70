import { Signal } from '@lumino/signaling';

import { type IFileFacts, Saving } from '../models/saving';
import type { IMetadataChange, ITouchable } from '../models/touch';

/** A document as JupyterLab has it: each edit makes it dirty, each save clean when it ends. */
export class Document {
  readonly model: ITouchable;
  readonly contentsModel = { writable: true, hash: 'v1', last_modified: '' };
  readonly isDisposed = false;
  readonly ready = Promise.resolve();
  readonly fileChanged: Signal<unknown, unknown>;
  readonly saves: string[] = [];
  text = '';
  failure: Error | null = null;
  during: () => void | Promise<void> = () => undefined;

  constructor() {
    const owner = {};
    this.fileChanged = new Signal(owner);
    this.metadataChanged = new Signal(owner);
    this.contentChanged = new Signal(owner);
    this.stateChanged = new Signal(owner);
    let dirty = false;
    const { stateChanged, metadataChanged, contentChanged } = this;
    this.model = {
      metadataChanged,
      contentChanged,
      stateChanged,
      get dirty() {
        return dirty;
      },
      set dirty(value: boolean) {
        if (value !== dirty) {
          dirty = value;
          stateChanged.emit({ name: 'dirty' });
        }
      }
    };
  }

  edit(text: string): void {
    this.text += text;
    this.model.dirty = true;
    this.contentChanged.emit();
  }

  describeKernel(): void {
    this.model.dirty = true;
    this.metadataChanged.emit({ key: 'language_info' });
    this.contentChanged.emit();
  }

  async save(): Promise<void> {
    const { text } = this;
    await Promise.resolve();
    await this.during();
    if (this.failure) {
      throw this.failure;
    }
    this.saves.push(text);
    this.model.dirty = false;
    this.fileChanged.emit({});
  }

  /** As JupyterLab does it where the file is the one that it knows: it tells of no file. */
  async revert(): Promise<void> {
    await Promise.resolve();
    this.text = this.saves[this.saves.length - 1] ?? '';
    this.model.dirty = true;
    this.contentChanged.emit();
  }

  readonly metadataChanged: Signal<unknown, IMetadataChange>;
  readonly contentChanged: Signal<unknown, void>;
  readonly stateChanged: Signal<unknown, { name: string }>;
}

/** What is under way has gone on as far as it can. */
export const settle = async () => {
  for (let turn = 0; turn < 8; turn++) {
    await Promise.resolve();
  }
};

/** A document that is open, and its saves. */
export async function opened(
  now?: () => number,
  peek?: () => Promise<IFileFacts | null>
) {
  const document = new Document();
  const saving = new Saving(document, now, peek);
  await settle();
  return { document, saving };
}
