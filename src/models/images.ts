import type { TranslationBundle } from '@jupyterlab/translation';

import type { ProcessImage } from '../tokens';
import { sizeWords } from './sizes';

/** How images are told apart in a list; the newest comes first. */
export interface INamedImage {
  name: string;
  image: ProcessImage;
}

/** What the server says where process images are not turned on. */
const OFF = /kernels\.host|kernels\.images/;

/** Why no image can be made, and what can be done about it. */
export function noneWords(problem: string, trans: TranslationBundle): string {
  return OFF.test(problem)
    ? trans.__(
        'Process images are not turned on here; the history has the states of the variables.'
      )
    : trans.__('None can be made: %1.', problem);
}

/**
 * The images with a name each that no other one has: time, labels, why it was made if nobody asked
 * for it, size.
 */
export function nameImages(
  images: readonly ProcessImage[],
  locale?: string
): INamedImage[] {
  const seen = new Set<string>();
  return [...images].reverse().map(image => {
    const when = new Date(image.time_ns / 1e6).toLocaleString(locale);
    const why = image.reason === 'asked' ? [] : [image.reason];
    const parts = [when, ...image.labels, ...why, sizeWords(image.size_bytes)];
    let name = parts.join(' · ');
    if (seen.has(name)) {
      name += ` · ${image.id}`;
    }
    seen.add(name);
    return { name, image };
  });
}
