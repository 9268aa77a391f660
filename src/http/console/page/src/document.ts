// One saved document being edited: what is saved, under which entity tag, what a draft holds, and how it is saved
// without overwriting what somebody else wrote.

import { type Request, Problem, at, call } from "./api";
import { type Draft, drafts } from "./memory";

export class Edited<T extends { id: string }> {
  /** As the node has it; `null` for a new one. */
  saved: T | null = null;
  etag: string | null = null;
  /** What somebody else saved meanwhile. */
  theirs: { document: T; etag: string | null } | null = null;

  constructor(
    readonly kind: "template" | "trigger",
    private readonly account: string,
    readonly id: string,
    /** What of a document may be kept in the browser and compared. */
    private readonly plain: (document: T) => T,
  ) {}

  /** The same, once a new one has its name. */
  named(id: string): Edited<T> {
    const own = new Edited<T>(this.kind, this.account, id, this.plain);
    own.saved = this.saved;
    own.etag = this.etag;
    this.forget();
    return own;
  }

  path(id = this.id): string {
    return at(this.account, `${this.kind}s`, id);
  }

  /** Reads it from the node. */
  async read(): Promise<T | null> {
    if (!this.id) return null;
    const response = await call<T>({ method: "GET", path: this.path() });
    this.saved = response.body;
    this.etag = response.etag;
    return response.body;
  }

  /** What was written before and not saved. */
  draft(): Draft<T> | null {
    const draft = drafts.read<T>(this.kind, this.account, this.id);
    return draft && !this.isSaved(draft.document) ? draft : null;
  }

  isSaved(document: T): boolean {
    return this.saved !== null && text(this.plain(document)) === text(this.plain(this.saved));
  }

  /** False where the browser has no room for it. */
  keep(document: T): boolean {
    if (this.isSaved(document)) {
      this.forget();
      return true;
    }
    return drafts.keep(this.kind, this.account, this.id, this.plain(document), this.etag);
  }

  forget(): void {
    drafts.drop(this.kind, this.account, this.id);
  }

  /** The call that saves it: a new one only if there is none of its name, another only as it was read. */
  request(document: T, over = this.etag): Request {
    const { id, ...body } = document;
    const headers: Record<string, string> = over ? { "if-match": over } : { "if-none-match": "*" };
    return { method: "PUT", path: this.path(id), body, headers };
  }

  /** Saves it; false where somebody else did meanwhile, which `theirs` then holds. */
  async save(document: T, over = this.etag): Promise<boolean> {
    try {
      const response = await call<T>(this.request(document, over));
      this.forget();
      this.saved = response.body;
      this.etag = response.etag;
      this.theirs = null;
      return true;
    } catch (error) {
      if (!(error instanceof Problem) || error.status !== 412) throw error;
      const now = await call<T>({ method: "GET", path: this.path(document.id) });
      this.theirs = { document: now.body, etag: now.etag };
      return false;
    }
  }

  removal(): Request {
    return { method: "DELETE", path: this.path(), headers: this.etag ? { "if-match": this.etag } : {} };
  }
}

function text(document: unknown): string {
  return JSON.stringify(document, Object.keys(flattened(document)).sort());
}

/** All names in a value, so that members are compared in one order. */
function flattened(value: unknown, names: Record<string, true> = {}): Record<string, true> {
  if (value && typeof value === "object") {
    for (const [name, own] of Object.entries(value)) {
      if (!Array.isArray(value)) names[name] = true;
      else names[name] = true;
      flattened(own, names);
    }
  }
  return names;
}
