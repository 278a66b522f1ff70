import { NotebookModel, type NotebookPanel } from '@jupyterlab/notebook';

/** Whether each cell of the notebook has its view, in the right place. */
export function isWhole({ content }: NotebookPanel): boolean {
  const models = Array.from(content.model?.cells ?? []);
  // Half-way through a failure there may be places without any.
  return (
    models.length === content.widgets.length &&
    models.every((model, at) => content.widgets[at]?.model === model)
  );
}

/** Makes all views of the cells anew. */
export function redraw({ content }: NotebookPanel): void {
  const { model, notebookConfig } = content;
  const isWindowed = notebookConfig.windowingMode === 'full';
  if (isWindowed) {
    // What it remembers of the cells' heights goes with the windowing; as long as it is on, it
    // scrolls to the cell with the keyboard, past cells that it has no view of yet.
    content.notebookConfig = { ...notebookConfig, windowingMode: 'none' };
  }
  const other = new NotebookModel();
  content.model = other;
  content.model = model;
  other.dispose();
  if (isWindowed) {
    content.notebookConfig = notebookConfig;
  }
}
