import type {
  JupyterFrontEnd,
  JupyterFrontEndPlugin
} from '@jupyterlab/application';
import { INotebookTracker } from '@jupyterlab/notebook';

const plugin: JupyterFrontEndPlugin<void> = {
  id: 'jupyter-rewind:drawing',
  description: 'Sees to it that a notebook that was read again is drawn.',
  autoStart: true,
  requires: [INotebookTracker],
  activate: (_: JupyterFrontEnd, notebooks: INotebookTracker): void => {
    notebooks.widgetAdded.connect((__, panel) => {
      const { context } = panel;
      const revert = context.revert;
      context.revert = async () => {
        await revert.call(context);
        if (panel.isDisposed) {
          return;
        }
        const { isWhole, redraw } = await import('../widgets/drawing');
        // JupyterLab 4.2.0 takes all cells out and puts them in anew. Where an editor was just
        // then being updated that fails half-way, and the notebook is drawn empty.
        if (!isWhole(panel)) {
          redraw(panel);
        }
      };
    });
  }
};

export default plugin;
