import type { Dialog } from '@jupyterlab/apputils';
import { Widget } from '@lumino/widgets';

import type { INamedImage } from '../models/images';
import type { ProcessImage } from '../tokens';

/** A list of process images in a dialog; the first one is chosen at the start. */
export class ImageChoice
  extends Widget
  implements Dialog.IBodyWidget<ProcessImage>
{
  private readonly select = document.createElement('select');

  constructor(
    private readonly images: readonly INamedImage[],
    words: string
  ) {
    super();
    const label = document.createElement('label');
    const text = document.createElement('p');
    text.textContent = words;
    this.select.classList.add('jp-mod-styled');
    for (const { name } of images) {
      const option = document.createElement('option');
      option.textContent = name;
      this.select.append(option);
    }
    label.append(text, this.select);
    this.node.append(label);
  }

  getValue(): ProcessImage {
    return this.images[this.select.selectedIndex].image;
  }
}
