import { Dialog, showDialog } from '@jupyterlab/apputils';
import type { TranslationBundle } from '@jupyterlab/translation';
import { Widget } from '@lumino/widgets';

import type { IOtherName } from '../models/bringing';

/** Asks under which name a variable comes back, where its own is taken. */
export class OtherName
  extends Widget
  implements Dialog.IBodyWidget<IOtherName>
{
  constructor(taken: string, proposed: string, trans: TranslationBundle) {
    super();
    this.input.className = 'jp-mod-styled';
    this.input.value = proposed;
    this.replace.type = 'checkbox';
    this.replace.addEventListener('change', () => {
      this.input.value = this.replace.checked ? taken : proposed;
      this.input.disabled = this.replace.checked;
    });
    const name = document.createElement('label');
    name.append(trans.__('Bring it back under the name'), this.input);
    const replace = document.createElement('label');
    replace.append(
      this.replace,
      trans.__('Replace %1; what it is now is kept first', taken)
    );
    this.node.append(name, replace);
    this.addClass('jp-Rewind-naming');
  }

  getValue(): IOtherName {
    return {
      name: this.input.value.trim(),
      replace: this.replace.checked
    };
  }

  private readonly input = document.createElement('input');
  private readonly replace = document.createElement('input');
}

/** The name that the user chose; `null` where none is wanted. */
export async function askName(
  taken: string,
  proposed: string,
  trans: TranslationBundle
): Promise<IOtherName | null> {
  const { button, value } = await showDialog({
    title: trans.__('There is a variable %1 already', taken),
    body: new OtherName(taken, proposed, trans),
    buttons: [
      Dialog.cancelButton(),
      Dialog.okButton({ label: trans.__('Bring Back') })
    ]
  });
  return button.accept && value?.name ? value : null;
}
