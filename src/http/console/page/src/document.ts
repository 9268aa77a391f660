// A document that is edited: the saved version with its entity tag, the draft, and saving without overwriting what
// someone else saved.

import { type Request, Problem, at, call } from "./api";
import { isNested, write } from "./json";
import { type Draft, drafts } from "./memory";

/** Why a document was not saved. */
export type Trouble<T> =
  /** Someone else saved this version meanwhile. */
  | { kind: "changed"; document: T; etag: string | null }
  /** Someone else deleted it meanwhile. */
  | { kind: "deleted" }
  /** Another document has the id of a new one. `free` is an id to try next. */
  | { kind: "taken"; id: string; free: string };

export class Edited<T extends { id: string }> {
  /** The version on the node; `null` for a new document. */
  saved: T | null = null;
  etag: string | null = null;
  trouble: Trouble<T> | null = null;

  constructor(
    readonly kind: "template" | "trigger",
    private readonly account: string,
    /** The id under which it is saved, or was; empty for a new document. */
    public id: string,
    /** The part of a document that may be kept in the browser and compared. */
    private readonly plain: (document: T) => T,
  ) {}

  path(id = this.id): string {
    return at(this.account, `${this.kind}s`, id);
  }

  /** Reads the document from the node. A deleted one is `null` if this browser has a draft of it, else an error. */
  async read(): Promise<T | null> {
    if (!this.id) return null;
    try {
      const response = await call<T>({ method: "GET", path: this.path() });
      Object.assign(this, { saved: response.body, etag: response.etag, trouble: null });
    } catch (error) {
      if (!isMissing(error) || !this.draft()) throw error;
      this.stop({ kind: "deleted" });
    }
    return this.saved;
  }

  private draft(): Draft<T> | null {
    const draft = drafts.read<T>(this.kind, this.account, this.id);
    return draft && !this.isSaved(draft.document) ? draft : null;
  }

  /** An earlier text that was not saved. It replaces only the version that it was written on. */
  restored(): T | null {
    const draft = this.draft();
    if (draft && this.saved) this.etag = draft.etag ?? this.etag;
    return draft?.document ?? null;
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

  /** Saves the document. If that is false, `trouble` says why. */
  async save(document: T, over = this.etag): Promise<boolean> {
    try {
      const response = await call<T>(this.request(document, over));
      this.forget();
      Object.assign(this, { id: document.id, saved: response.body, etag: response.etag, trouble: null });
      return true;
    } catch (error) {
      const trouble = await this.troubleOf(error, document.id, over);
      if (!trouble) throw error;
      this.stop(trouble);
      return false;
    }
  }

  private async troubleOf(error: unknown, id: string, over: string | null): Promise<Trouble<T> | null> {
    const status = error instanceof Problem ? error.status : 0;
    if (status !== 412 && status !== 422) return null;
    if (!over) return status === 412 ? { kind: "taken", id, free: following(id) } : null;
    const trouble = await this.others(id);
    // A deleted trigger is refused for the values that its document keeps before its entity tag is compared.
    return status === 412 || trouble.kind === "deleted" ? trouble : null;
  }

  /** What someone else has made of the document meanwhile. */
  private async others(id: string): Promise<Trouble<T>> {
    try {
      const { body, etag } = await call<T>({ method: "GET", path: this.path(id) });
      return { kind: "changed", document: body, etag };
    } catch (error) {
      if (!isMissing(error)) throw error;
      return { kind: "deleted" };
    }
  }

  private stop(trouble: Trouble<T>): void {
    this.trouble = trouble;
    if (trouble.kind === "deleted") [this.saved, this.etag] = [null, null];
  }

  /** Someone else has changed or deleted the document meanwhile. */
  async compare(): Promise<void> {
    this.stop(await this.others(this.id));
  }

  /** Gives up the own text for the version of someone else. */
  take(document: T, etag: string | null): void {
    Object.assign(this, { saved: document, etag, trouble: null });
    this.forget();
  }

  removal(): Request {
    return { method: "DELETE", path: this.path(), headers: this.etag ? { "if-match": this.etag } : {} };
  }
}

function isMissing(error: unknown): boolean {
  return error instanceof Problem && error.status === 404;
}

/** The id with the next number at its end. */
function following(id: string): string {
  const [, name, number] = /^(.*?)(?:-(\d{1,6}))?$/.exec(id)!;
  return `${name!.slice(0, 120)}-${Number(number ?? 1) + 1}`;
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
