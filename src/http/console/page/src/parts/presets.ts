// The start of a new template: a list of working templates for known receivers.

import { type TemplateResult, html, nothing } from "lit";
import { Problem, call } from "../api";
import { type Tag } from "../dictionary";
import { explain } from "../ui";
import type { Sample } from "./sample";

export interface Preset {
  name: string;
  title: string;
  description: string;
  format: "json" | "xml" | "form" | "text";
  body: string;
  content_type?: string;
  event?: string;
  /** The form of the URL, and the headers, that a trigger for this receiver has. */
  url?: string;
  headers?: Record<string, string>;
}

let known: Preset[] | null = null;
let failure = "";
let isRequested = false;

async function load(changed: () => void): Promise<void> {
  isRequested = true;
  try {
    const { body } = await call<unknown>({ method: "GET", path: "/v1/presets" });
    known = read(body);
  } catch (error) {
    const unknown = error instanceof Problem && error.isUnknownCall;
    const why = unknown ? "its version has none" : explain(error);
    failure = `This node lists no presets: ${why}. Start from what an event carries instead.`;
    known = [];
    isRequested = false;
  }
  changed();
}

/** The preset with this name; `null` if the node has none. */
export async function preset(name: string): Promise<Preset | null> {
  if (!known) await load(() => {});
  return known?.find((own) => own.name === name) ?? null;
}

/** The template's members are either those of the preset or in a member of it. */
function read(body: unknown): Preset[] {
  const items = (body as { items?: unknown[] }).items ?? (body as { presets?: unknown[] }).presets ?? (Array.isArray(body) ? body : []);
  return (items as Record<string, unknown>[]).map((item) => {
    const own = { ...item, ...((item["template"] as object | undefined) ?? {}) } as Record<string, unknown>;
    const text = (...names: string[]) => names.map((name) => item[name] ?? own[name]).find((value) => typeof value === "string") as string | undefined;
    const name = text("id", "name") ?? "preset";
    return {
      name,
      title: text("title", "receiver", "name") ?? name,
      description: text("description", "summary") ?? "",
      format: (text("format") ?? "json") as Preset["format"],
      body: (own["body"] as string | undefined) ?? "",
      ...(text("content_type") ? { content_type: text("content_type")! } : {}),
      ...(text("event") ? { event: text("event")! } : {}),
      ...(text("url") ? { url: text("url")! } : {}),
      headers: (item["headers"] as Record<string, string> | undefined) ?? {},
    };
  });
}

/** A template with all data of the sample's event, as JSON or as a form. */
function everything(tags: Tag[], event: string): Preset[] {
  const few = tags.slice(0, 12);
  const key = (tag: Tag) => tag.path.replace(/\W+/g, "_");
  const lines = few.map((tag) => `  ${JSON.stringify(key(tag))}: {{${tag.path}}}`);
  const json = `{\n  "event": "*|EVENT:NAME|*"${lines.length ? ",\n" : "\n"}${lines.join(",\n")}\n}`;
  const form = few.map((tag) => `${key(tag)}=${tag.tag}`).join("&");
  const text = few.map((tag) => `${tag.description.replace(/\.$/, "")}: ${tag.tag}`).join("\n");
  const about = event ? `What an event ${event} carries` : "What an event carries";
  const preset = (name: string, title: string, format: Preset["format"], body: string): Preset => ({
    name,
    title,
    description: `${about}, ${name.endsWith("json") ? "as a JSON object" : name.endsWith("form") ? "as form fields" : "as lines of text"}.`,
    format,
    body,
  });
  return [
    preset("all-json", "Plain JSON", "json", json),
    preset("all-form", "Plain form", "form", form || "event=*|EVENT:NAME|*"),
    preset("all-text", "Plain text", "text", text || "*|EVENT:NAME|*"),
  ];
}

/** What a trigger for the receiver of a preset needs besides the template. */
export function wanted({ url, headers = {} }: Preset): TemplateResult | typeof nothing {
  if (!url) return nothing;
  const own = Object.entries(headers);
  return html`<p class="note wide">
    The URL of a trigger for this receiver has the form <code>${url}</code>${own.length ? html`, and it needs ${own.length === 1 ? "the header" : "the headers"}` : nothing}
    ${own.map(([name, value], i) => html`${i ? ", " : ""}<code>${name}: ${value}</code>`)}
  </p>`;
}

export function presets(choose: (preset: Preset) => void, changed: () => void, sample: Sample): TemplateResult {
  if (!known && !isRequested) void load(changed);
  const own = known?.filter((preset) => preset.body) ?? [];
  const all = [...own, ...(own.length ? [] : everything(sample.tags, sample.choice.event))];
  return html`<p class="lead">Who receives it? Each of these is a working template for the dictionary; you change it with a preview beside it.</p>
    ${failure && !own.length ? html`<p class="note" role="status">${failure}</p>` : nothing}
    ${!known ? html`<p class="hint" aria-live="polite">Loading …</p>` : nothing}
    <ul class="cards presets">
      ${(known ? all : []).map(
        (preset) => html`<li>
          <button type="button" class="card" @click=${() => choose(preset)}>
            <span class="title">${preset.title}</span>
            <span class="badge">${preset.format}</span>
            ${preset.event ? html`<span class="badge">${preset.event}</span>` : nothing}
            <span class="sub">${preset.description}</span>
          </button>
        </li>`,
      )}
    </ul>`;
}
