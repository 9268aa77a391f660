// The preview of a template, and its mistakes.

import { type TemplateResult, html, nothing } from "lit";
import type { Diagnostic, Request } from "../api";
import type { CodeEditor } from "../editor/code-editor";
import { offsetOf, placed } from "../findings";
import { bytes, curlButton, plural } from "../ui";

/** The most characters of a body that a preview shows. */
const SHOWN_MAX = 100_000;

export interface Preview {
  content_type: string;
  body: string;
}

/** The last preview. It is stale, and grey, if the text has had a mistake since. */
export function preview(shown: Preview | null, isStale: boolean, request: Request): TemplateResult {
  return html`<div class="preview ${isStale ? "stale" : ""}">
    <div class="preview-head">
      <h2>Preview</h2>
      ${shown ? html`<code>${shown.content_type}</code><span>${bytes(new TextEncoder().encode(shown.body).length)}</span>` : nothing}
      <span class="grow"></span>
      ${isStale && shown ? html`<span class="badge warn" role="status">as it was before the mistake</span>` : nothing}
      ${curlButton("Check", request)}
    </div>
    ${shown
      ? html`<pre tabindex="0" aria-label="What the receiver gets">${shown.body.slice(0, SHOWN_MAX)}${shown.body.length > SHOWN_MAX ? "\n…" : ""}</pre>`
      : html`<p class="hint">The preview appears once the template has no mistake.</p>`}
  </div>`;
}

/** The findings, each with its position and its suggestion. */
export function findings(error: string, found: Diagnostic[], text: string, editor: () => CodeEditor | null): TemplateResult {
  if (error) return html`<p class="error-text" role="alert">${error}</p>`;
  const count = (severity: string) => found.filter((own) => own.severity === severity).length;
  const [errors, warnings] = [count("error"), count("warning")];
  const said = [errors && plural(errors, "mistake"), warnings && plural(warnings, "warning")].filter(Boolean).join(", ");
  return html`<div class="findings">
    <h2>${said || "No mistakes"}</h2>
    <p class="hidden" aria-live="polite">${said || "No mistakes"}</p>
    <ul>
      ${found.map((own) => {
        const { apply, from, to } = placed(text, own);
        return html`<li class=${own.severity}>
          <button
            type="button"
            class="where"
            aria-label="Go to line ${own.line}, column ${own.column}"
            @click=${() => editor()?.show(offsetOf(text, own.line, own.column))}
          >
            ${own.line}:${own.column}
          </button>
          <span class="text"><span class="hidden">${own.severity}: </span>${own.message} <code class="code">${own.code}</code></span>
          ${apply
            ? html`<button type="button" class="apply" @click=${() => editor()?.replace(from, to, apply.text)}>${apply.label}</button>`
            : nothing}
        </li>`;
      })}
    </ul>
  </div>`;
}
