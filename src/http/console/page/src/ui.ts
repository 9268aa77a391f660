// What the views share: buttons with their curl command, notices, questions, and formats of numbers.

import { LitElement, type TemplateResult, html, nothing } from "lit";
import { type Request, Problem, curl } from "./api";

/** A view without a shadow root, so that the page's style sheet applies to it. */
export abstract class View extends LitElement {
  protected override createRenderRoot(): HTMLElement {
    return this;
  }
}

/** Shows a notice in the corner, which screen readers announce. */
export function notify(text: string, kind: "good" | "bad" = "good"): void {
  dispatchEvent(new CustomEvent("ph-notice", { detail: { text, kind } }));
}

export function explain(error: unknown): string {
  if (error instanceof Problem) return error.detail;
  return error instanceof Error ? error.message : String(error);
}

export async function copy(text: string, what: string): Promise<void> {
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    // A page that was not loaded securely can't use the clipboard interface.
    const area = document.createElement("textarea");
    area.value = text;
    document.body.append(area);
    area.select();
    document.execCommand("copy");
    area.remove();
  }
  notify(`${what} copied`);
}

export interface Action {
  label: string;
  request: Request | null;
  run: () => void;
  kind?: "primary" | "danger" | "plain";
  disabled?: boolean;
  title?: string;
}

/** A button, and beside it one that copies the same call as a curl command. */
export function action({ label, request, run, kind = "plain", disabled = false, title }: Action): TemplateResult {
  return html`<span class="action">
    <button type="button" class=${kind} ?disabled=${disabled} title=${title ?? nothing} @click=${run}>${label}</button
    >${curlButton(label, request)}
  </span>`;
}

export function curlButton(label: string, request: Request | null): TemplateResult | typeof nothing {
  if (!request) return nothing;
  return html`<button
    type="button"
    class="curl"
    title="Copy as curl"
    aria-label="Copy “${label}” as curl"
    @click=${() => copy(curl(request), "curl command")}
  >
    curl
  </button>`;
}

export interface Question {
  title: string;
  text: string;
  yes: string;
  no?: string;
  danger?: boolean;
}

/** Asks a question in a dialog of the page. Escape means no. */
export function ask({ title, text, yes, no = "Cancel", danger = false }: Question): Promise<boolean> {
  const dialog = document.createElement("dialog");
  dialog.setAttribute("aria-labelledby", "question");
  const heading = Object.assign(document.createElement("h2"), { id: "question", textContent: title });
  const detail = Object.assign(document.createElement("p"), { textContent: text });
  const row = Object.assign(document.createElement("div"), { className: "row end" });
  const button = (label: string, value: string, kind: string) => {
    const made = Object.assign(document.createElement("button"), { type: "button", textContent: label, className: kind });
    made.addEventListener("click", () => dialog.close(value));
    return made;
  };
  row.append(button(no, "no", "plain"), button(yes, "yes", danger ? "danger" : "primary"));
  dialog.append(heading, detail, row);
  document.body.append(dialog);
  dialog.showModal();
  return new Promise((resolve) => {
    dialog.addEventListener("close", () => {
      dialog.remove();
      resolve(dialog.returnValue === "yes");
    });
  });
}

export function plural(number: number, word: string): string {
  return `${number.toLocaleString("en")} ${word}${number === 1 ? "" : "s"}`;
}

export function bytes(number: number): string {
  if (number < 1000) return `${number} B`;
  return number < 1e6 ? `${(number / 1e3).toFixed(1)} kB` : `${(number / 1e6).toFixed(1)} MB`;
}

export function span(ms: number): string {
  if (ms < 1000) return `${ms} ms`;
  return ms < 60_000 ? `${(ms / 1000).toFixed(1)} s` : `${Math.floor(ms / 60_000)} min ${Math.round((ms % 60_000) / 1000)} s`;
}

/** An id that is made from a name: the characters that an id may have, in lower case, or `otherwise` if the name has none. */
export function slug(name: string, otherwise: string): string {
  const plain = name.normalize("NFKD").replace(/[\u0300-\u036f]/g, "").toLowerCase();
  const id = plain.replace(/[^a-z0-9]+/g, "-").replace(/^-+/, "").slice(0, 64).replace(/-+$/, "");
  return id || (name.trim() ? otherwise : "");
}

/** Calls `run` after a pause. A call during the pause restarts it. */
export function debounced(ms: number, run: () => void): () => void {
  let timer: ReturnType<typeof setTimeout> | undefined;
  return () => {
    clearTimeout(timer);
    timer = setTimeout(run, ms);
  };
}
