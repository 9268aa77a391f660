// A document that is edited: the saved version with its entity tag, the draft, and saving without overwriting what
// someone else saved.

import { type Request, Problem, at, call } from "./api";
import { isNested, write } from "./json";
import { type Draft, drafts } from "./memory";

export class Edited<T extends { id: string }> {
  /** The version on the node; `null` for a new document. */
  saved: T | null = null;
  etag: string | null = null;
  /** The version that someone else saved meanwhile. */
  theirs: { document: T; etag: string | null } | null = null;

  constructor(
    readonly kind: "template" | "trigger",
    private readonly account: string,
    readonly id: string,
    /** The part of a document that may be kept in the browser and compared. */
    private readonly plain: (document: T) => T,
  ) {}

  /** The same document under the id that a new one has got. */
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

  /** Reads the document from the node. */
  async read(): Promise<T | null> {
    if (!this.id) return null;
    const response = await call<T>({ method: "GET", path: this.path() });
    this.saved = response.body;
    this.etag = response.etag;
    return response.body;
  }

  /** The draft: an earlier text that was not saved. */
  draft(): Draft<T> | null {
    const draft = drafts.read<T>(this.kind, this.account, this.id);
    return draft && !this.isSaved(draft.document) ? draft : null;
  }

  isSaved(document: T): boolean {
    return this.saved !== null && text(this.plain(document)) === text(this.plain(this.saved));
  }

  /** Keeps a draft. False if the browser has no room for it. */
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

  /** The call that saves the document: a new one only if its id is free, another only if it is unchanged since. */
  request(document: T, over = this.etag): Request {
    const { id, ...body } = document;
    const headers: Record<string, string> = over ? { "if-match": over } : { "if-none-match": "*" };
    return { method: "PUT", path: this.path(id), body, headers };
  }

  /** Saves the document. False if someone else saved it meanwhile; `theirs` then has that version. */
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
  return write(sorted(document));
}

/** A value with its members in one order. */
function sorted(value: unknown): unknown {
  if (!isNested(value)) return value;
  if (Array.isArray(value)) return value.map(sorted);
  const members = Object.entries(value).map(([name, own]) => [name, sorted(own)] as const);
  return Object.fromEntries(members.sort(([a], [b]) => (a < b ? -1 : 1)));
}
