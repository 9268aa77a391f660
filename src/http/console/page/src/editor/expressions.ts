// Expressions (`{{…}}`) and tags (`*|…|*`) stand out in every format. No grammar of templates is needed for that: what
// they mean, and what is wrong with them, comes from the node.

import { type Extension } from "@codemirror/state";
import { Decoration, type DecorationSet, type EditorView, MatchDecorator, ViewPlugin, type ViewUpdate } from "@codemirror/view";

const tag = Decoration.mark({ class: "cm-ph-tag" });
const block = Decoration.mark({ class: "cm-ph-block" });
const value = Decoration.mark({ class: "cm-ph-value" });

export function expressions(isTemplate: () => boolean): Extension {
  const matcher = new MatchDecorator({
    // Not across lines: an expression that is not closed must not color the rest of the text.
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
