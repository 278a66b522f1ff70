import type { RenderMimeRegistry } from '@jupyterlab/rendermime';
import { nullTranslator } from '@jupyterlab/translation';

import type { Checkpoint, IDifference } from '../tokens';
import {
  checkpointComparison,
  type ICheckpointComparison
} from '../widgets/comparison';

// Draws notebooks, in a browser alone; here differences are lines of text.
jest.mock('nbdime/lib/diff/widget', () => ({
  CellDiffWidget: class {},
  NotebookDiffWidget: class
    extends jest.requireActual('@lumino/widgets').Widget
  {
    init() {
      return Promise.resolve();
    }
  }
}));
jest.mock('nbdime/lib/diff/model', () => ({ NotebookDiffModel: class {} }));

function said(text: string): IDifference {
  return { differs: true, text } as IDifference;
}

function checkpoint(id: string): Checkpoint {
  return {
    id,
    time: '2026-11-22T14:02:00Z',
    labels: [] as string[]
  } as Checkpoint;
}

/** A comparison of one checkpoint with what is open. */
function compared(parts: Partial<ICheckpointComparison>) {
  return checkpointComparison({
    path: 'analysis.ipynb',
    checkpoint: checkpoint('first'),
    others: [checkpoint('second')],
    open: { content: {}, isDirty: false },
    choices: { hidesOutputs: false },
    difference: () => Promise.resolve(said('to another')),
    differenceToOpen: () => Promise.resolve(said('to what is open')),
    restoreCell: () => Promise.resolve(),
    fail: reason => {
      throw reason;
    },
    rendermime: null as unknown as RenderMimeRegistry,
    editors: { factoryService: { newInlineEditor: () => null } } as never,
    translator: nullTranslator,
    ...parts
  });
}

describe('a comparison', () => {
  it('says why no cell of an old notebook can be restored alone', async () => {
    const reason = async (cells: object[]) => {
      const notebook = { cells } as unknown as IDifference['notebook'];
      const difference = { differs: true, text: '', diff: [], notebook };
      const widget = await compared({
        differenceToOpen: () => Promise.resolve(difference)
      });
      return [...widget.node.querySelectorAll('p:not(.lm-mod-hidden)')]
        .map(each => each.textContent)
        .join();
    };
    expect(await reason([{ source: 'a' }])).toMatch(/without ids/);
    expect(await reason([{ source: 'a', id: 'one' }])).toBe('');
  });

  it('shows what was chosen last, however late an earlier answer comes', async () => {
    const answers: Record<string, (found: IDifference) => void> = {};
    const widget = await compared({
      difference: remote => new Promise(resolve => (answers[remote] = resolve))
    });
    const right = widget.node.querySelector('select')!;
    for (const chosen of ['present', 'second']) {
      right.value = chosen;
      right.dispatchEvent(new Event('change'));
    }
    answers.second(said('to the second'));
    answers.present(said('to the file'));
    await new Promise(resolve => setTimeout(resolve));
    expect(widget.node.querySelector('pre')!.textContent).toBe('to the second');
    expect(widget.node.querySelectorAll('pre')).toHaveLength(1);
  });
});
