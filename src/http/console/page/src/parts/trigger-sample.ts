// Whether a sample fires a trigger, for each condition of its filter, and the mistakes of the trigger.

import { type TemplateResult, html, nothing } from "lit";
import type { FieldError, Request } from "../api";
import type { Data } from "../dictionary";
import { type Condition, valueAt } from "../filter";
import { curlButton } from "../ui";
import type { CheckResult } from "./trigger-request";

/** The node's explanation for a saved trigger. */
export interface Explained {
  id: string;
  fires: boolean;
  reason?: string;
  path?: string;
  condition?: unknown;
  value?: unknown;
}

/** One condition of the filter, checked alone. */
export interface ConditionResult {
  condition: Condition;
  fires: boolean;
}

const REASONS: Record<string, string> = {
  disabled: "the trigger is disabled",
  event: "it listens to another event type",
  filter: "its filter does not hold",
  filter_too_costly: "its filter costs too much for this event",
  template_unusable: "its template can't be used",
};

export interface SampleResult {
  /** The sample passes the filter. */
  fires: boolean;
  /** The trigger's event pattern matches the sample's event type. */
  listens: boolean;
  /** The node's explanation for the saved trigger; `null` if the form has changed since. */
  explained: Explained | null;
  conditionResults: ConditionResult[];
  data: Data;
  request: Request | null;
}

export function sampleResult({ fires, listens, explained, conditionResults, data, request }: SampleResult): TemplateResult {
  const failure = explained && !explained.fires ? explained : null;
  const why = failure ?? (listens ? null : { reason: "event", path: "" });
  const does = fires && !why;
  return html`<div class="result ${does ? "yes" : "no"}" role="status">
      <strong>${does ? "This sample fires it." : "This sample does not fire it."}</strong>
      ${why?.reason ? html`<span>${REASONS[why.reason] ?? why.reason}${why.path ? html`, at <code>${why.path}</code>` : nothing}.</span>` : nothing}
      ${curlButton("Explain", request)}
    </div>
    ${conditionResults.length
      ? html`<ul class="conditions" aria-label="Conditions of the filter">
          ${conditionResults.map(
            ({ condition, fires: holds }) => html`<li class=${holds ? "yes" : "no"}>
              <span aria-hidden="true">${holds ? "✓" : "✗"}</span>
              <span><code>${condition.label}</code> ${holds ? "holds" : "does not hold"}</span>
              ${condition.path ? html`<code class="value">${valueAt(data, condition.path)}</code>` : nothing}
            </li>`,
          )}
        </ul>`
      : nothing}`;
}

/** The mistakes with their pointers, and the warnings. */
export function mistakes(errors: FieldError[], warnings: CheckResult["warnings"]): TemplateResult | typeof nothing {
  if (!warnings.length && !errors.length) return nothing;
  const row = (kind: string, place: string, text: string | undefined, code: string) =>
    html`<li class=${kind}>
      ${place ? html`<code class="where">${place}</code>` : nothing}
      <span class="text"><span class="hidden">${kind}: </span>${text} <code class="code">${code}</code></span>
    </li>`;
  return html`<div class="findings">
    <ul>
      ${errors.map((own) => row("error", own.pointer, own.detail, own.code))}
      ${warnings.map((own) => row("warning", "", own.message ?? own.detail, own.code))}
    </ul>
  </div>`;
}
