import type { TranslationBundle } from '@jupyterlab/translation';
import { Widget } from '@lumino/widgets';

import { type ITextLine, sideBySide, type TextPart } from '../models/textdiff';

/** More rows than that would keep the page busy for seconds. */
const MOST_ROWS = 5000;

/** Two texts side by side, line by line, with what differs and a little around it. */
export function textDifference(
  unified: string,
  trans: TranslationBundle
): Widget {
  const parts = sideBySide(unified);
  if (!parts) {
    const node = document.createElement('p');
    node.textContent = trans.__('These are no texts, and they differ.');
    return new Widget({ node });
  }
  const count = parts.reduce((sum, part) => sum + part.length, 0);
  const node = document.createElement(count > MOST_ROWS ? 'pre' : 'table');
  if (count > MOST_ROWS) {
    // Its first two lines name the sides as the server calls them.
    node.textContent = unified.split('\n').slice(2).join('\n');
    return new Widget({ node });
  }
  node.className = 'jp-Rewind-texts';
  const columns = node.appendChild(document.createElement('colgroup'));
  for (const name of ['jp-mod-number', '', 'jp-mod-number', '']) {
    columns.appendChild(document.createElement('col')).className = name;
  }
  const head = node.appendChild(document.createElement('thead'));
  const names = head.appendChild(document.createElement('tr'));
  for (const words of [trans.__('On the left'), trans.__('On the right')]) {
    const name = names.appendChild(document.createElement('th'));
    name.colSpan = 2;
    name.scope = 'colgroup';
    name.textContent = words;
  }
  for (const part of parts) {
    node.append(drawPart(part, trans));
  }
  return new Widget({ node });
}

function drawPart(part: TextPart, trans: TranslationBundle): HTMLElement {
  const body = document.createElement('tbody');
  for (const { isSame, left, right } of part) {
    const row = body.appendChild(document.createElement('tr'));
    const sides = [
      ...drawSide(left, isSame ? '' : 'removed', trans),
      ...drawSide(right, isSame ? '' : 'added', trans)
    ];
    row.append(...sides);
    // Lines that differ in their ends alone would look alike.
    if (left && right && hasReturn(left) !== hasReturn(right)) {
      const told = sides[hasReturn(left) ? 1 : 3];
      const note = told.appendChild(document.createElement('small'));
      note.textContent = trans.__('ends with CR LF');
    }
  }
  return body;
}

const hasReturn = ({ text }: ITextLine) => text.endsWith('\r');

function drawSide(
  line: ITextLine | null,
  how: '' | 'added' | 'removed',
  trans: TranslationBundle
): HTMLElement[] {
  const number = document.createElement('td');
  const text = document.createElement('td');
  number.className = 'jp-mod-number';
  if (!line) {
    text.className = 'jp-mod-none';
    return [number, text];
  }
  number.textContent = String(line.number);
  const code = text.appendChild(document.createElement(nameOf(how)));
  code.textContent = line.text;
  text.className = how && `jp-mod-${how}`;
  if (line.isEndless) {
    const note = text.appendChild(document.createElement('small'));
    note.textContent = trans.__('without an end of the line');
  }
  return [number, text];
}

/** Whoever does not see the colours is told as well. */
const nameOf = (how: '' | 'added' | 'removed') =>
  how === 'added' ? 'ins' : how === 'removed' ? 'del' : 'span';
