import { NotebookModel, type NotebookPanel } from '@jupyterlab/notebook';

/** Whether each cell of the notebook has its view, in the right place. */
export function isWhole({ content }: NotebookPanel): boolean {
  const models = Array.from(content.model?.cells ?? []);
  return (
    models.length === content.widgets.length &&
    models.every((model, at) => content.widgets[at].model === model)
  );
}

/** Makes all views of the cells anew. */
export function redraw({ content }: NotebookPanel): void {
  const { model, notebookConfig } = content;
  const other = new NotebookModel();
  content.model = other;
  content.model = model;
  other.dispose();
  if (notebookConfig.windowingMode === 'full') {
    // What it remembers of the cells' heights goes with the windowing.
    content.notebookConfig = { ...notebookConfig, windowingMode: 'none' };
    content.notebookConfig = notebookConfig;
  }
}
