import { ReactWidget } from '@jupyterlab/apputils';
import { nullTranslator } from '@jupyterlab/translation';
import { Widget } from '@lumino/widgets';
import React from 'react';

import type { Checkpoint } from '../tokens';
import { Entry, type IHistoryActions } from '../widgets/historyentries';

const checkpoint = {
  id: 'one',
  time: '2026-11-22T14:02:00Z',
  labels: ['v1'],
  reason: 'save',
  counts: { added: 0, changed: 0, removed: 0 },
  readable: true
} as Checkpoint;

describe('an entry of the history', () => {
  it('keeps the keyboard when a name is taken away', async () => {
    const unname = jest.fn();
    const widget = ReactWidget.create(
      <Entry
        entry={{ kind: 'checkpoint', id: 'one', time: 0, checkpoint }}
        isHead={false}
        isCurrent={false}
        withAuthor={false}
        stateOf={undefined}
        actions={{ unname } as unknown as IHistoryActions}
        trans={nullTranslator.load('jupyter_rewind')}
      />
    );
    Widget.attach(widget, document.body);
    await widget.renderPromise;
    const { node } = widget;
    const button = node.querySelector<HTMLElement>('.jp-Rewind-label button')!;
    button.focus();
    button.click();
    expect(unname).toHaveBeenCalledWith(checkpoint, 'v1');
    expect(document.activeElement!.textContent).toBe('Name…');
    widget.dispose();
  });
});
