// The request that a trigger makes, and the result of a test.

import { type TemplateResult, html, nothing } from "lit";
import type { FieldError } from "../api";
import { MEANINGS } from "../meanings";
import { span } from "../ui";

export interface CheckResult {
  ok: boolean;
  errors: FieldError[];
  warnings: { code: string; message?: string; detail?: string }[];
  /** Missing if the filter has a mistake. */
  fires?: boolean;
  preview?: { url: string; headers: Record<string, string | null>; content_type: string; body: string } | null;
}

export interface TestResult {
  delivered: boolean;
  fires?: boolean;
  status?: number;
  reason?: string;
  duration_ms: number | null;
}

/** A header value may be a secret, so it is hidden unless it has expressions. */
function shown(value: string | null): TemplateResult | string {
  return value !== null && /\{\{|\*\|/.test(value) ? value : html`<i>hidden</i>`;
}

export function request(preview: NonNullable<CheckResult["preview"]>): TemplateResult {
  return html`<div class="preview">
    <div class="preview-head"><h2>The request</h2></div>
    <pre tabindex="0" aria-label="The request"><b>POST</b> ${preview.url}
<span class="name">content-type:</span> ${preview.content_type}
${Object.entries(preview.headers ?? {}).map(
      ([name, value]) => html`<span class="name">${name}:</span> ${shown(value)}\n`,
    )}
${preview.body}</pre>
  </div>`;
}

export function outcome(result: TestResult): TemplateResult {
  const reason = result.reason ?? "";
  const meaning = MEANINGS[reason];
  return html`<div class="result ${result.delivered ? "yes" : "no"}">
    <strong>${result.delivered ? "Delivered" : "Not delivered"}</strong>
    ${result.status ? html`<span>status ${result.status}</span>` : nothing}
    ${reason ? html`<code>${reason}</code>` : nothing}
    ${result.duration_ms === null ? nothing : html`<span>${span(result.duration_ms)}</span>`}
    ${result.fires === false ? html`<span>The filter would have kept this sample back.</span>` : nothing}
    ${meaning ? html`<span class="wide">${meaning}</span>` : nothing}
  </div>`;
}
