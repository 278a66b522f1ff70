import type { KernelMessage } from '@jupyterlab/services';

import { SaveHandler } from '@jupyterlab/docmanager';
import { Signal } from '@lumino/signaling';

import {
  answerMagic,
  type IAutosaving,
  Intervals,
  QUESTION
} from '../models/autosave';

/** What `%autosave` did, and whether its message is shown. */
function answered(kind: string, content: object) {
  const chosen: number[] = [];
  const message = { header: { msg_type: kind }, content };
  const isShown = answerMagic(
    message as unknown as KernelMessage.IIOPubMessage,
    { choose: seconds => chosen.push(seconds), tell: () => 'every 10 seconds' }
  );
  return { chosen, isShown, content };
}

const script = (text: string) => ({ data: { 'application/javascript': text } });

/** The intervals of an open document that JupyterLab saves every ten seconds once it starts. */
function intervalsOf() {
  const stateChanged = new Signal<object, { name: string }>({});
  const documents = { autosave: true, autosaveInterval: 10, stateChanged };
  const intervals = new Intervals(documents as unknown as IAutosaving);
  const context = {
    fileChanged: new Signal({}),
    disposed: new Signal({})
  } as never;
  const handler = new SaveHandler({ context } as never);
  return { documents, intervals, context, handler };
}

describe('Intervals', () => {
  it('let a document rest while a question about it stands open', () => {
    const { intervals, context, handler } = intervalsOf();
    intervals.hold(context, false);
    expect(handler.isActive).toBe(false);
    handler.start();
    intervals.hold(context, true);
    intervals.hold(context, true);
    expect(handler.isActive).toBe(false);
    intervals.hold(context, false);
    expect(handler.isActive).toBe(true);
    handler.dispose();
  });

  it('start nothing after the question that was switched off meanwhile', () => {
    const { documents, intervals, context, handler } = intervalsOf();
    handler.start();
    intervals.hold(context, true);
    documents.autosave = false;
    handler.stop();
    intervals.hold(context, false);
    expect(handler.isActive).toBe(false);
    handler.dispose();

    const magic = intervalsOf();
    magic.handler.start();
    magic.intervals.hold(magic.context, true);
    magic.intervals.choose(magic.context, 0);
    magic.intervals.hold(magic.context, false);
    expect(magic.handler.isActive).toBe(false);
    magic.handler.dispose();
  });

  it('start what is switched on while a question stands open after it', () => {
    const { documents, intervals, context, handler } = intervalsOf();
    handler.start();
    intervals.choose(context, 0);
    intervals.hold(context, true);
    intervals.choose(context, 60);
    expect(handler.isActive).toBe(false);
    // As JupyterLab does it where autosave is switched on in its settings.
    handler.start();
    documents.stateChanged.emit({ name: 'autosave' });
    expect(handler.isActive).toBe(false);
    intervals.hold(context, false);
    expect(handler.isActive).toBe(true);
    expect(handler.saveInterval).toBe(60);
    handler.dispose();
  });
});

describe('answerMagic', () => {
  it('sets the interval that a kernel asks the old notebook for', () => {
    const asked = script('IPython.notebook.set_autosave_interval(300000)');
    expect(answered('display_data', asked)).toMatchObject({
      chosen: [300],
      isShown: false
    });
    const off = script('IPython.notebook.set_autosave_interval(0)');
    expect(answered('display_data', off).chosen).toEqual([0]);
  });

  it('leaves other scripts alone', () => {
    const other = script('IPython.notebook.set_autosave_interval(1); evil()');
    expect(answered('display_data', other)).toMatchObject({
      chosen: [],
      isShown: true
    });
  });

  it('answers how a notebook is saved', () => {
    const data = { [QUESTION]: {}, 'text/plain': 'the front end knows' };
    expect(answered('display_data', { data })).toMatchObject({
      isShown: true,
      content: { data: { 'text/plain': 'every 10 seconds' } }
    });
  });

  it('answers in the place of an error where the kernel knows no answer', () => {
    const text = "UsageError: %autosave requires an integer, got ''\n";
    expect(answered('stream', { name: 'stderr', text: text }).content).toEqual({
      name: 'stdout',
      text: 'every 10 seconds\n'
    });
    const mistake = text.replace("''", "'often'");
    expect(
      answered('stream', { name: 'stderr', text: mistake }).content
    ).toEqual({ name: 'stderr', text: mistake });
  });
});
