import { ReactWidget } from '@jupyterlab/apputils';
import { Widget } from '@lumino/widgets';
import React from 'react';

import type { History } from '../tokens';
import { Troubles } from '../widgets/history';

async function told(history: Partial<History>): Promise<string[]> {
  const widget = ReactWidget.create(<Troubles history={history as History} />);
  Widget.attach(widget, document.body);
  await widget.renderPromise;
  const found = [...widget.node.querySelectorAll('[role=alert]')];
  const words = found.map(each => each.textContent ?? '');
  widget.dispose();
  return words;
}

describe('what is told above the history', () => {
  const ok = { state: 'ok', words: '', last_good: null } as const;

  it('is nothing where all is well', async () => {
    expect(await told({ condition: ok, incomplete: [] })).toEqual([]);
  });

  it('names a damaged file, and what may be missing in the list', async () => {
    const words = 'analysis.ipynb is empty.';
    const condition = { state: 'empty', words, last_good: null } as const;
    const incomplete = ['Checkpoints may be missing here.'];
    expect(await told({ condition, incomplete })).toEqual([
      words,
      ...incomplete
    ]);
    expect(await told({ condition: ok, incomplete })).toEqual(incomplete);
  });
});
