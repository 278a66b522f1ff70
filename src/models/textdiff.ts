/** A line of a text, with its number from 1 on. */
export interface ITextLine {
  number: number;
  text: string;
  /** The text ends without the end of this line. */
  isEndless?: boolean;
}

/** What stands side by side: the same line, or what came in the place of what. */
export interface ITextRow {
  left: ITextLine | null;
  right: ITextLine | null;
  isSame: boolean;
}

/** Rows that follow one another in both texts. */
export type TextPart = ITextRow[];

const HUNK = /^@@ -(\d+)(?:,\d+)? \+(\d+)(?:,\d+)? @@/;

/** A unified diff as parts with both sides; `null` where it is none. */
export function sideBySide(unified: string): TextPart[] | null {
  const lines = unified.split('\n');
  if (!lines[0].startsWith('--- ') || !lines[1]?.startsWith('+++ ')) {
    return null;
  }
  const parts: TextPart[] = [];
  let removed: ITextLine[] = [];
  let added: ITextLine[] = [];
  let last: ITextLine[] = [];
  let [left, right] = [0, 0];
  const pair = () => {
    const part = parts[parts.length - 1];
    for (let at = 0; at < Math.max(removed.length, added.length); at++) {
      part.push({
        left: removed[at] ?? null,
        right: added[at] ?? null,
        isSame: false
      });
    }
    [removed, added] = [[], []];
  };
  for (const line of lines.slice(2, lines[lines.length - 1] ? undefined : -1)) {
    const text = line.slice(1);
    const hunk = line[0] === '@' ? HUNK.exec(line) : null;
    if (hunk) {
      if (parts.length) {
        pair();
      }
      parts.push([]);
      [left, right] = [Number(hunk[1]), Number(hunk[2])];
    } else if (!parts.length) {
      return null;
    } else if (line[0] === '-') {
      last = [{ number: left++, text }];
      removed.push(...last);
    } else if (line[0] === '+') {
      last = [{ number: right++, text }];
      added.push(...last);
    } else if (line[0] === ' ') {
      pair();
      last = [
        { number: left++, text },
        { number: right++, text }
      ];
      parts[parts.length - 1].push({
        left: last[0],
        right: last[1],
        isSame: true
      });
    } else if (line[0] === '\\') {
      last.forEach(each => (each.isEndless = true));
    } else {
      return null;
    }
  }
  if (parts.length) {
    pair();
  }
  return parts;
}
