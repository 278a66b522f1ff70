import type { RenderMimeRegistry } from '@jupyterlab/rendermime';
import { nullTranslator } from '@jupyterlab/translation';

import type { Checkpoint, IDifference } from '../tokens';
import { checkpointComparison } from '../widgets/comparison';

// Draws notebooks, in a browser alone; here differences are lines of text.
jest.mock('nbdime/lib/diff/widget', () => ({}));
jest.mock('nbdime/lib/diff/model', () => ({}));

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

describe('a comparison', () => {
  it('shows what was chosen last, however late an earlier answer comes', async () => {
    const answers: Record<string, (found: IDifference) => void> = {};
    const widget = await checkpointComparison({
      path: 'analysis.ipynb',
      checkpoint: checkpoint('first'),
      others: [checkpoint('second')],
      open: { content: {}, isDirty: false } as never,
      choices: { hidesOutputs: false },
      difference: remote => new Promise(resolve => (answers[remote] = resolve)),
      differenceToOpen: () => Promise.resolve(said('to what is open')),
      restoreCell: () => Promise.resolve(),
      fail: reason => {
        throw reason;
      },
      rendermime: null as unknown as RenderMimeRegistry,
      editors: null as never,
      translator: nullTranslator
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
