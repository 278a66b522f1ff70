import type { JupyterFrontEnd } from '@jupyterlab/application';
import type { Widget } from '@lumino/widgets';

/** Shows a view in a tab of its own, in the place of an earlier one of the same. */
export function addAnew(shell: JupyterFrontEnd.IShell, widget: Widget): void {
  for (const earlier of shell.widgets('main')) {
    if (earlier.id === widget.id && earlier !== widget) {
      earlier.dispose();
      break;
    }
  }
  if (!widget.isAttached) {
    shell.add(widget, 'main');
  }
  shell.activateById(widget.id);
}
