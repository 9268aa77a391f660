// The editor: CodeMirror inside a shadow root. There its styles are adopted style sheets, so no inline style is needed.
// The editor does not check the text: the node does, and its findings are passed in.

import { autocompletion, closeBrackets, closeBracketsKeymap, completionKeymap } from "@codemirror/autocomplete";
import { defaultKeymap, history, historyKeymap } from "@codemirror/commands";
import { json } from "@codemirror/lang-json";
import { xml } from "@codemirror/lang-xml";
import { bracketMatching, syntaxHighlighting } from "@codemirror/language";
import { type Diagnostic as Mark, lintGutter, lintKeymap, nextDiagnostic, setDiagnostics } from "@codemirror/lint";
import { type ChangeSet, Compartment, EditorState, type Extension } from "@codemirror/state";
import { EditorView, drawSelection, highlightActiveLine, keymap, lineNumbers } from "@codemirror/view";
import type { Helper, Tag } from "../dictionary";
import { completions } from "./completions";
import { type Replacement, inner, outer, replaced } from "./line-ends";
import { expressions } from "./expressions";
import { highlighting, theme } from "./theme";

export type Language = "json" | "xml" | "form" | "text";

/** A finding, with its position as offsets. */
export interface Finding {
  from: number;
  to: number;
  severity: "error" | "warning";
  message: string;
  apply?: { label: string; text: string };
}

export class CodeEditor extends HTMLElement {
  private view: EditorView | null = null;
  private readonly language = new Compartment();
  private readonly labels = new Compartment();
  private readonly editable = new Compartment();
  /** The text with its own line ends. */
  private text = "";
  private isSetting = false;
  private kind: Language = "text";
  private name = "";
  private locked = false;
  /** The tags that completion offers. */
  tags: Tag[] = [];
  /** The helpers that completion offers. */
  helpers: Helper[] = [];
  /** Whether the text is a template, with expressions in it. */
  template = false;

  connectedCallback(): void {
    const root = this.shadowRoot ?? this.attachShadow({ mode: "open", delegatesFocus: true });
    if (this.view) return;
    this.view = new EditorView({ root, parent: root, state: this.state() });
  }

  disconnectedCallback(): void {
    this.view?.destroy();
    this.view = null;
  }

  get value(): string {
    return this.text;
  }

  set value(text: string) {
    if (text === this.text) return;
    this.text = text;
    this.isSetting = true;
    this.view?.dispatch({ changes: { from: 0, to: this.view.state.doc.length, insert: text } });
    this.isSetting = false;
  }

  get lang(): Language {
    return this.kind;
  }

  set lang(kind: Language) {
    if (kind === this.kind) return;
    this.kind = kind;
    this.view?.dispatch({ effects: this.language.reconfigure(parser(kind)) });
  }

  set label(name: string) {
    if (name === this.name) return;
    this.name = name;
    this.view?.dispatch({ effects: this.labels.reconfigure(this.labelled()) });
  }

  set readonly(locked: boolean) {
    if (locked === this.locked) return;
    this.locked = locked;
    this.view?.dispatch({ effects: this.editable.reconfigure(EditorState.readOnly.of(locked)) });
  }

  get cursor(): number {
    return this.view ? outer(this.text, this.view.state.selection.main.head) : this.text.length;
  }

  /** Marks the findings. A position past the end belongs to an older text and is moved to the end. */
  mark(findings: Finding[]): void {
    if (!this.view) return;
    const end = this.view.state.doc.length;
    const marks = findings.map(({ from, to, severity, message, apply }): Mark => {
      const actions = apply && [{ name: apply.label, apply: () => this.replace(from, to, apply.text) }];
      const [start, stop] = [inner(this.text, from), inner(this.text, Math.max(to, from))];
      return { from: Math.min(start, end), to: Math.min(stop, end), severity, message, actions };
    });
    this.view.dispatch(setDiagnostics(this.view.state, marks));
  }

  replace(from: number, to: number, text: string): void {
    const start = inner(this.text, from);
    this.view?.dispatch({ changes: { from: start, to: inner(this.text, to), insert: text }, selection: { anchor: start + text.length } });
  }

  /** Inserts a text at the cursor, or in place of the selection. */
  insert(text: string, back = 0): void {
    if (!this.view) return;
    const { from, to } = this.view.state.selection.main;
    this.view.dispatch({
      changes: { from, to, insert: text },
      selection: { anchor: from + text.length - back },
      scrollIntoView: true,
    });
    this.view.focus();
  }

  /** Moves the cursor to an offset and scrolls it into view. */
  show(offset: number): void {
    const anchor = Math.min(inner(this.text, offset), this.view?.state.doc.length ?? 0);
    this.view?.dispatch({ selection: { anchor }, effects: EditorView.scrollIntoView(anchor, { y: "center" }) });
    this.view?.focus();
  }

  override focus(): void {
    this.view?.focus();
  }

  /** Makes the changes of the editor in the text. */
  private follow(changes: ChangeSet): void {
    const replacements: Replacement[] = [];
    changes.iterChanges((from, to, _from, _to, inserted) => replacements.push({ from, to, insert: inserted.toString() }));
    this.text = replaced(this.text, replacements);
  }

  private labelled(): Extension {
    return EditorView.contentAttributes.of({ "aria-label": this.name });
  }

  private state(): EditorState {
    return EditorState.create({
      doc: this.text,
      extensions: [
        lineNumbers(),
        history(),
        drawSelection(),
        highlightActiveLine(),
        // In a template, `{{` is not a bracket of the format.
        this.template ? [] : bracketMatching(),
        closeBrackets(),
        autocompletion({ override: [completions(() => (this.template ? this.tags : []), () => this.helpers)], icons: false }),
        lintGutter(),
        EditorView.lineWrapping,
        // The browser handles Tab, so that keyboard users can leave the editor.
        keymap.of([
          { key: "F8", run: nextDiagnostic },
          ...closeBracketsKeymap,
          ...defaultKeymap,
          ...historyKeymap,
          ...completionKeymap,
          ...lintKeymap,
        ]),
        this.language.of(parser(this.kind)),
        this.labels.of(this.labelled()),
        this.editable.of(EditorState.readOnly.of(this.locked)),
        syntaxHighlighting(highlighting),
        expressions(() => this.template),
        theme,
        EditorView.domEventHandlers({ beforeinput: replaceSelected }),
        EditorView.updateListener.of((update) => {
          if (!update.docChanged) return;
          if (!this.isSetting) this.follow(update.changes);
          this.dispatchEvent(new Event("input", { bubbles: true }));
        }),
      ],
    });
  }
}

/**
 * Replaces the selection with the typed text. The browser's own editing would keep the look of the selection with an
 * inline style, which the page's Content-Security-Policy forbids.
 */
function replaceSelected(event: InputEvent, view: EditorView): boolean {
  const { main, ranges } = view.state.selection;
  if (event.inputType !== "insertText" || event.isComposing || event.data === null || main.empty || ranges.length > 1 || view.state.readOnly) {
    return false;
  }
  const text = event.data;
  const plain = () => view.state.update(view.state.replaceSelection(text), { userEvent: "input.type" });
  const isHandled = view.state.facet(EditorView.inputHandler).some((handle) => handle(view, main.from, main.to, text, plain));
  if (!isHandled) view.dispatch(plain());
  event.preventDefault();
  return true;
}

function parser(kind: Language): Extension {
  return kind === "json" ? json() : kind === "xml" ? xml() : [];
}

customElements.define("ph-editor", CodeEditor);
