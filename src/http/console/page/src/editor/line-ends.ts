// In the editor each line end is one character. In a text it may be two (CR and LF), and a template keeps those it has.

/** The offset in the text of an offset in the editor. */
export function outer(text: string, offset: number): number {
  let found = offset;
  for (let at = text.indexOf("\r\n"); at >= 0 && at < found; at = text.indexOf("\r\n", at + 2)) found++;
  return found;
}

/** The offset in the editor of an offset in the text. */
export function inner(text: string, offset: number): number {
  return offset - (text.slice(0, offset).match(/\r\n/g)?.length ?? 0);
}

/** A replacement in the editor, in offsets of the editor before all of them. Line ends in `insert` are LF. */
export interface Replacement {
  from: number;
  to: number;
  insert: string;
}

/** The text after these replacements, which are in their order. New line ends are like the first one of the text. */
export function replaced(text: string, replacements: Replacement[]): string {
  const end = /\r\n|\r|\n/.exec(text)?.[0] ?? "\n";
  let [after, at] = ["", 0];
  for (const { from, to, insert } of replacements) {
    after += text.slice(at, outer(text, from)) + insert.replaceAll("\n", end);
    at = outer(text, to);
  }
  return after + text.slice(at);
}
