import type { INotebookContent, IOutput } from '@jupyterlab/nbformat';
import type { NotebookPanel } from '@jupyterlab/notebook';
import { Token } from '@lumino/coreutils';
import type { ISignal } from '@lumino/signaling';
import type { Widget } from '@lumino/widgets';

import type { IDiffEntry } from 'nbdime/lib/diff/diffentries';

import type { components } from './api';
import type { Intervals } from './models/autosave';
import type { IBase } from './models/draftbase';
import type { Saving } from './models/saving';

type Schemas = components['schemas'];

/** How the server, its store and the copies of it stand. */
export type Health = Schemas['Health'];

/** One state of a notebook, as the server tells it. */
export type Checkpoint = Schemas['Checkpoint'];

/** A checkpoint with its new label, and which one had that before. */
export type Labelled = Schemas['Labelled'];

/** What the server knows of one file, and the condition the file is in. */
export type History = Schemas['HistoryWithCheckpoints'];

/** The state of a kernel's variables after one cell. */
export type Snapshot = Schemas['Snapshot'];

/** The last state that any kernel of a notebook kept, and whether the one of now lost it. */
export type Resumable = Schemas['Resumable'];

/** One run of one cell, without its outputs. */
export type Execution = Schemas['Execution'];

/** How faithfully one variable of a state is kept. */
export type Variable = Schemas['Variable'];

/** How one variable differs from the state before. */
export type VariableChange = Schemas['VariableChange'];

/** The variables of a state; `changes` is `null` where there is none to compare it with. */
export interface IVariables {
  snapshot: Snapshot;
  before: Snapshot | null;
  report: Variable[];
  changes: VariableChange[] | null;
}

/** The variables of two states, and how the second differs from the first. */
export interface IStatesDifference {
  before: Snapshot;
  after: Snapshot;
  before_report: Variable[];
  after_report: Variable[];
  changes: VariableChange[];
}

/** Some of a long list, the newest first, and whether older ones follow. */
export interface IPage<T> {
  items: T[];
  more: boolean;
}

/** Which variable of which state is to be there again. */
export interface IWanted {
  name: string;
  ref: string;
  /** Another name for it. */
  as?: string;
  /** Take the place of what has that name; that is kept first. */
  replace?: boolean;
}

/** What a variable is called that is there again, and which part of it was not kept, and why. */
export interface IBrought {
  name: string;
  /** Empty where all of it was kept. */
  missing: string;
}

/** What a kernel has after a move: the state that came back, and how, in words. */
export type Moved = Schemas['Moved'];

/** The whole process of a kernel at one moment. */
export type ProcessImage = Schemas['Image'];

/** The images of a notebook, oldest first, and why none can be made where that is so. */
export interface IImages {
  images: ProcessImage[];
  problem: string | null;
}

/** Edits of a notebook that were handed over and are not saved. */
export type Draft = Schemas['Draft'];

/** A draft with the notebook that its edits make. */
export type DraftNotebook = Schemas['DraftWithNotebook'];

/** An execution whose end nobody has saved. */
export type Unseen = Omit<Schemas['Unseen'], 'outputs'> & {
  outputs: IOutput[];
};

/** One file's history, without its checkpoints. */
export type Overview = Schemas['History'];

/** Deleted files, and why some may be missing among them, in words. */
export interface IDeleted {
  deleted: Overview[];
  incomplete: string[];
}

/** What is left of the notebooks of a folder, or of one notebook. */
export type Found = Schemas['Found'];

/** One notebook that left traces: the state of its file, and what tells of it. */
export type Standing = Found['notebooks'][number];

/** What a recovery made of the traces, in figures and words. */
export type RecoveryReport = Schemas['RecoveryReport'];

/** A notebook that would be brought back; nothing of it is written yet. */
export interface IRecovered {
  path: string;
  report: RecoveryReport;
  /** The report as a page of HTML that runs no script and loads nothing. */
  page: string;
}

/** What changed from one state of a file to another. */
export interface IDifference {
  differs: boolean;
  /** A unified diff of the lines, where one side is no notebook. */
  text: string;
  /** In nbdime's format. */
  diff: IDiffEntry[];
  /** The first state, which `diff` applies to; `null` where a side is no notebook. */
  notebook: INotebookContent | null;
}

/** What a restore did: `kept` is what the file held before. */
export interface IRestored {
  path: string;
  source: Checkpoint;
  checkpoint: Checkpoint | null;
  kept: Checkpoint | null;
  /** What the file had besides its bytes and could not take over, as its owner. */
  not_kept: string[];
  /** Whether what was there differed from `kept` in timings and trust. */
  kept_nearly: boolean;
  /** That of the state that came back, which may have been damaged then. */
  condition: { state: string; words: string; last_good: string | null };
  /** How the variables of its kernel came back, where that was asked for. */
  state: Moved | null;
}

/** What a restore brings back, when it is not just the whole file. */
export interface IRestoreOptions {
  /** Only the cells with these ids. */
  cells?: string[];
  /** The variables of the running kernel, too, as they were at that moment. */
  state?: boolean;
}

/** Each distinct state of a cell in which a text stands, and what could not be searched. */
export interface ISearched {
  /** How many there are in all. */
  count: number;
  /** Some of them, those that were there last first. */
  hits: Schemas['Hit'][];
  problems: string[];
}

/** What the rest of the extension asks of the server; every call rejects with a `RewindError`. */
export interface IRewindClient {
  /** Keep the file as it is on disk, with a label if one is given. */
  createCheckpoint(path: string, label?: string): Promise<Labelled>;

  /** The newest `limit` checkpoints of a file, or those before one of them, the newest first. */
  history(path: string, limit: number, before?: string): Promise<History>;

  /** What ran in a notebook, the newest first. */
  executions(
    path: string,
    limit: number,
    before?: string
  ): Promise<IPage<Execution>>;

  /** The states of a notebook's kernels, the newest first. */
  snapshots(
    path: string,
    limit: number,
    before?: string
  ): Promise<IPage<Snapshot>>;

  /** The variables of a state. */
  variables(path: string, ref: string): Promise<IVariables>;

  /** The variables of two states of a notebook. */
  statesDifference(
    path: string,
    before: string,
    after: string
  ): Promise<IStatesDifference>;

  /** Keep what a running kernel has now as a state of it. */
  keepState(kernel: string): Promise<Snapshot>;

  /** One variable is in a running kernel again, under the name that is told. */
  bringBack(kernel: string, wanted: IWanted): Promise<IBrought>;

  /** A running kernel's variables are as they were in a state. */
  restoreState(kernel: string, ref: string): Promise<Moved>;

  /** Bring a file on disk back to a checkpoint; the server keeps what it held before. */
  restore(
    path: string,
    ref: string,
    options?: IRestoreOptions
  ): Promise<IRestored>;

  /** Look for a text in all versions of a file: the newest `limit` hits. */
  search(path: string, text: string, limit: number): Promise<ISearched>;

  /** What changed from one state to another; `present` is the file on disk. */
  difference(path: string, base: string, remote: string): Promise<IDifference>;

  /** What changed from a state to what is open here: a notebook, or the text of another file. */
  differenceToOpen(
    path: string,
    base: string,
    content: unknown
  ): Promise<IDifference>;

  /** The last state of a notebook's kernels, and whether its `kernel` of now lost it. */
  resumable(path: string, kernel?: string): Promise<Resumable>;

  /** A running kernel takes over the last state of the notebook's kernel before it. */
  resume(kernel: string): Promise<Moved>;

  /** The process images of a notebook's kernels. */
  images(path: string): Promise<IImages>;

  /** Keep the whole process of a running kernel; with `stop` it sleeps then. */
  createImage(kernel: string, stop: boolean): Promise<ProcessImage>;

  /** A kernel is what it was in an image; it runs again where it has ended. */
  restoreImage(kernel: string, image: string): Promise<void>;

  /** Delete a kernel's images that have no name. */
  clearImages(
    kernel: string
  ): Promise<{ deleted: ProcessImage[]; kept: ProcessImage[] }>;

  /** Give a checkpoint a name, which keeps it from expiring. */
  addLabel(path: string, ref: string, label: string): Promise<Labelled>;

  /** Take a name away. */
  removeLabel(path: string, ref: string, label: string): Promise<Checkpoint>;

  /** Keep a checkpoint from expiring, or no longer. */
  pin(path: string, ref: string, pinned: boolean): Promise<Checkpoint>;

  /** What was edited in a notebook and not saved, the newest first. */
  drafts(path: string): Promise<Draft[]>;

  /** The notebook with a draft's edits. */
  draft(path: string, draft: string): Promise<DraftNotebook>;

  /** What a draft changes in the file on disk. */
  draftDifference(path: string, draft: string): Promise<IDifference>;

  /** Begin a draft upon what this browser has read, or upon `content`, with all edits so far. */
  beginDraft(
    path: string,
    draft: string,
    base: IBase | null,
    content: unknown,
    update: Uint8Array
  ): Promise<void>;

  /** Hand over further edits; a `whole` update holds those before it, too. */
  appendDraft(
    path: string,
    draft: string,
    update: Uint8Array,
    whole: boolean
  ): Promise<void>;

  /** Nobody will edit a draft any more. */
  endDraft(path: string, draft: string, how: string): Promise<void>;

  /** Drop a draft. */
  discardDraft(path: string, draft: string): Promise<void>;

  /** What cells put out after a moment in milliseconds since 1970, or after the last save. */
  outputs(path: string, since?: number): Promise<Unseen[]>;

  /** What works and what does not: the store, its quota and the copies of it elsewhere. */
  health(): Promise<Health>;

  /** Resolves as soon as the server answers anything. */
  reach(): Promise<void>;

  /** The deleted files that can be brought back. */
  deleted(): Promise<IDeleted>;

  /** A deleted file is there again, with its history. */
  undelete(history: string): Promise<IRestored>;

  /** What is left of a notebook, or of all notebooks of a folder. */
  traces(path: string): Promise<Found>;

  /** The notebook that would be brought back; nothing is written. */
  previewRecovery(path: string): Promise<IRecovered>;

  /** Bring a notebook back as a new file, and tell where it lies. */
  recover(path: string): Promise<string>;
}

export const IRewindClient = new Token<IRewindClient>(
  'jupyter-rewind:IRewindClient',
  'Histories, states of kernels and recovery, as the server offers them.'
);

/** How the open documents are saved. */
export interface ISaves {
  /** The saves of the document in a widget; `null` where there is none. */
  savingOf(widget: Widget): Saving | null;

  /** How often each document is saved by itself. */
  readonly intervals: Intervals;

  /** Looks whether the files still hold what their documents show. */
  lookAll(): void;

  /** Saves soon what is unsaved, where the user wants saving without being asked. */
  saveAll(): void;
}

export const ISaves = new Token<ISaves>(
  'jupyter-rewind:ISaves',
  'How the open documents are saved, and how each stands to its file.'
);

/** Whether the server can be reached; one for all who wait for it. */
export interface IReach {
  readonly isAway: boolean;

  /** It went away, or is there again. */
  readonly changed: ISignal<IReach, boolean>;

  /** Something may have happened that no event has told: whoever shows it asks again. */
  readonly missed: ISignal<IReach, void>;

  /** Somebody got no answer. */
  noteAbsence(): void;
}

export const IReach = new Token<IReach>(
  'jupyter-rewind:IReach',
  'Whether the server can be reached.'
);

/** What cells put out while nobody had their notebook open. */
export interface IAway {
  /** Into how many cells outputs were put when the notebook was opened, once that is done. */
  brought(panel: NotebookPanel): Promise<number>;

  /** That outputs belong to no cell is told once this has resolved, if it is still so. */
  waitFor(
    settled: (
      panel: NotebookPanel,
      executions: readonly Unseen[]
    ) => Promise<void>
  ): void;
}

export const IAway = new Token<IAway>(
  'jupyter-rewind:IAway',
  'What cells put out while nobody had their notebook open.'
);

/**
 * Where edits that are in no file yet are kept, besides the open page. With `sending` the server
 * has them, but for the latest, which are on their way.
 */
export type DraftPlace = 'server' | 'sending' | 'browser';

/** What the status bar needs to know of drafts. */
export interface IDrafts {
  /** A path (as a context has it) whose unsaved edits are now kept elsewhere, or nowhere. */
  readonly changed: ISignal<IDrafts, string>;

  /** Where all unsaved edits of a document are kept; `null` while some are in the page only. */
  placeOf(path: string): DraftPlace | null;

  /** Hands over what is not kept yet: the server may be back. */
  flush(): void;
}

export const IDrafts = new Token<IDrafts>(
  'jupyter-rewind:IDrafts',
  'Where the unsaved edits of each open document are kept.'
);
