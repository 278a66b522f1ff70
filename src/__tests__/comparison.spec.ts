import type { RenderMimeRegistry } from '@jupyterlab/rendermime';
import { nullTranslator } from '@jupyterlab/translation';

import { Pages } from '../models/pages';
import type { Checkpoint, IDifference } from '../tokens';
import {
  checkpointComparison,
  type ICheckpointComparison
} from '../widgets/comparison';

// Draws notebooks, in a browser alone; here differences are lines of text.
jest.mock('nbdime/lib/diff/widget', () => {
  const { Panel, Widget } = jest.requireActual('@lumino/widgets');
  class CellDiffWidget extends Widget {
    model = { unchanged: false, cellId: { base: 'one' } };
  }
  class NotebookDiffWidget extends Panel {
    init() {
      this.addWidget(new CellDiffWidget());
      return Promise.resolve();
    }
  }
  return { CellDiffWidget, NotebookDiffWidget };
});
jest.mock('nbdime/lib/diff/model', () => ({ NotebookDiffModel: class {} }));

function said(text: string): IDifference {
  const unified = `--- one\n+++ other\n@@ -1 +1 @@\n-before\n+${text}\n`;
  return { differs: true, text: unified } as IDifference;
}

function checkpoint(id: string): Checkpoint {
  return {
    id,
    time: '2026-11-22T14:02:00Z',
    labels: [] as string[],
    readable: true
  } as Checkpoint;
}

/** A comparison of one checkpoint with what is open. */
function compared(parts: Partial<ICheckpointComparison>) {
  return checkpointComparison({
    path: 'analysis.ipynb',
    checkpoint: checkpoint('first'),
    checkpoints: new Pages(async () => ({
      items: [checkpoint('second'), checkpoint('first')],
      more: false
    })),
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

  it('goes up to every checkpoint, also those that are not at hand', async () => {
    const all = [...'abcdefg'].map(checkpoint);
    const ask = async (_: number, before?: string) => {
      const from = before ? all.findIndex(one => one.id === before) + 1 : 0;
      return { items: all.slice(from, from + 3), more: from + 3 < all.length };
    };
    const asked: string[] = [];
    const widget = await compared({
      checkpoint: all[1],
      checkpoints: new Pages(ask),
      difference: async remote => {
        asked.push(remote);
        return said(remote);
      }
    });
    const right = widget.node.querySelector('select')!;
    const values = () => [...right.options].map(each => each.value).join(' ');
    const choose = async (value: string) => {
      right.value = value;
      right.dispatchEvent(new Event('change'));
      await new Promise(resolve => setTimeout(resolve));
    };
    expect(values()).toBe('open present a c older');
    await choose('older');
    expect(values()).toBe('open present a c d e f older');
    expect(right.value).toBe('open');
    await choose('older');
    expect(values()).toBe('open present a c d e f g');
    await choose('g');
    expect(asked).toEqual(['g']);
    expect(right.value).toBe('g');
  });

  it('offers what was kept since it was opened', async () => {
    const all = [checkpoint('first')];
    const widget = await compared({
      checkpoints: new Pages(async () => ({ items: [...all], more: false }))
    });
    const right = widget.node.querySelector('select')!;
    all.unshift(checkpoint('new'));
    right.dispatchEvent(new Event('focus'));
    await new Promise(resolve => setTimeout(resolve));
    expect([...right.options].map(each => each.value)).toContain('new');
  });

  it('stays where it is, with the keyboard, once a cell was restored', async () => {
    const notebook = { cells: [{ source: 'a', id: 'one' }] };
    const difference = { differs: true, text: '', diff: [], notebook };
    let isRestored = false;
    const widget = await compared({
      differenceToOpen: () =>
        Promise.resolve(
          (isRestored ? said('after') : difference) as unknown as IDifference
        ),
      restoreCell: async () => {
        isRestored = true;
      }
    });
    const soon = () => new Promise(resolve => setTimeout(resolve));
    document.body.append(widget.node);
    await soon();
    const panel = widget.content.node;
    panel.scrollTop = 70;
    const button = panel.querySelector<HTMLElement>('.jp-Rewind-cell')!;
    button.focus();
    button.click();
    await soon();
    expect(panel.querySelector('ins')?.textContent).toBe('after');
    expect(document.activeElement).toBe(panel);
    expect(panel.scrollTop).toBe(70);
    widget.node.remove();
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
    const told = [...widget.node.querySelectorAll('ins')];
    expect(told.map(each => each.textContent)).toEqual(['to the second']);
  });
});
