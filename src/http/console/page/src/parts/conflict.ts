// Shown when someone else saved the document meanwhile: both texts, line by line.

import { type TemplateResult, html } from "lit";

type Line = { kind: "same" | "mine" | "theirs"; text: string };

/** The most lines of each text that are aligned. Longer texts are compared line by line, in their order. */
const LINES_MAX = 800;

export function compared(mine: string, theirs: string): Line[] {
  const [a, b] = [mine.split("\n"), theirs.split("\n")];
  if (a.length > LINES_MAX || b.length > LINES_MAX) {
    return [...b.map((text): Line => ({ kind: "theirs", text })), ...a.map((text): Line => ({ kind: "mine", text }))];
  }
  const length = a.map(() => new Uint16Array(b.length + 1));
  length.push(new Uint16Array(b.length + 1));
  for (let i = a.length - 1; i >= 0; i--) {
    for (let j = b.length - 1; j >= 0; j--) {
      length[i]![j] = a[i] === b[j] ? length[i + 1]![j + 1]! + 1 : Math.max(length[i + 1]![j]!, length[i]![j + 1]!);
    }
  }
  const lines: Line[] = [];
  let [i, j] = [0, 0];
  while (i < a.length || j < b.length) {
    if (i < a.length && j < b.length && a[i] === b[j]) {
      lines.push({ kind: "same", text: a[i++]! });
      j++;
    } else if (j < b.length && (i >= a.length || length[i]![j + 1]! >= length[i + 1]![j]!)) {
      lines.push({ kind: "theirs", text: b[j++]! });
    } else {
      lines.push({ kind: "mine", text: a[i++]! });
    }
  }
  return lines;
}

export interface Conflict {
  mine: string;
  theirs: string;
  keepMine: () => void;
  takeTheirs: () => void;
  back: () => void;
}

export function conflict({ mine, theirs, keepMine, takeTheirs, back }: Conflict): TemplateResult {
  const lines = compared(mine, theirs);
  const side = (kind: "mine" | "theirs") =>
    lines
      .filter((line) => line.kind === "same" || line.kind === kind)
      .map((line) => html`<span class=${line.kind}>${line.kind === "same" ? "" : html`<b>${kind === "mine" ? "+ " : "− "}</b>`}${line.text}\n</span>`);
  return html`<section class="conflict" aria-labelledby="conflict-title">
    <h2 id="conflict-title" tabindex="-1">Someone else has saved this meanwhile</h2>
    <p>Both texts are here, and yours is also kept as a draft in this browser. Nothing was overwritten.</p>
    <div class="two">
      <div>
        <h3>Yours, not saved</h3>
        <pre tabindex="0" aria-label="Yours">${side("mine")}</pre>
      </div>
      <div>
        <h3>Saved meanwhile</h3>
        <pre tabindex="0" aria-label="Saved meanwhile">${side("theirs")}</pre>
      </div>
    </div>
    <div class="row">
      <button type="button" class="primary" @click=${keepMine}>Overwrite with mine</button>
      <button type="button" @click=${takeTheirs}>Use theirs</button>
      <button type="button" class="plain" @click=${back}>Keep editing</button>
    </div>
  </section>`;
}
