// Highlights expressions (`{{…}}`) and tags (`*|…|*`) in every format. This needs no grammar of templates: the node
// reports what is wrong with an expression.

import { type Extension } from "@codemirror/state";
import { Decoration, type DecorationSet, type EditorView, MatchDecorator, ViewPlugin, type ViewUpdate } from "@codemirror/view";

const tag = Decoration.mark({ class: "cm-ph-tag" });
const block = Decoration.mark({ class: "cm-ph-block" });
const value = Decoration.mark({ class: "cm-ph-value" });

export function expressions(isTemplate: () => boolean): Extension {
  const matcher = new MatchDecorator({
    // On one line only, so that an unclosed expression does not color the rest of the text.
    regexp: /\*\|[^|\n]*\|\*|\{\{[^\n]*?\}\}+/g,
    decoration: ([text]) => (text.startsWith("*|") ? tag : /^\{\{[~]?(#|\/|else\b|\^|!)/.test(text) ? block : value),
  });
  return ViewPlugin.fromClass(
    class {
      decorations: DecorationSet;
      constructor(view: EditorView) {
        this.decorations = isTemplate() ? matcher.createDeco(view) : Decoration.none;
      }
      update(update: ViewUpdate): void {
        if (isTemplate()) this.decorations = matcher.updateDeco(update, this.decorations);
      }
    },
    { decorations: (plugin) => plugin.decorations },
  );
}
