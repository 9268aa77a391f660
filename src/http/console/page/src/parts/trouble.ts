// Why a document was not saved, and what can be done about it. The text stays in the form meanwhile.

import { type TemplateResult, html, nothing } from "lit";
import type { Edited } from "../document";
import { route } from "../route";
import { session } from "../session";
import { conflict } from "./conflict";

export interface Troubled<T extends { id: string }> {
  edited: Edited<T>;
  document: T;
  /** A draft was restored. The note names what drafts never keep. */
  restored: string;
  /** The text in which two versions are compared. */
  text: (document: T) => string;
  /** Saves the document, over the version with this entity tag if there is one. */
  save: (over?: string | null) => void;
  /** Shows a version that someone else saved. */
  use: (document: T) => void;
  rename: (id: string) => void;
  discard: () => void;
  changed: () => void;
}

export function trouble<T extends { id: string }>(own: Troubled<T>): TemplateResult | typeof nothing {
  const { edited, document } = own;
  const { kind, trouble: found } = edited;
  if (found?.kind === "changed") return html`${changed(own, found.document, found.etag)} ${restored(own)}`;
  if (found?.kind === "deleted") {
    return html`<p class="note warn" role="alert">
      Someone deleted this ${kind} meanwhile. What you wrote is still here, not saved. <em>Save</em> makes a new ${kind} of it, under this id or another.
      <button type="button" class="link" @click=${own.discard}>Discard it</button>
    </p>`;
  }
  if (found?.kind === "taken" && found.id === document.id) {
    const saveAs = () => {
      own.rename(found.free);
      own.save();
    };
    return html`<p class="note warn" role="alert">
      The account has another ${kind} with the id <code>${found.id}</code>. Yours is not saved, and the other one is unchanged. Write another id, or
      <button type="button" class="link" @click=${saveAs}>save it as ${found.free}</button>.
      <a href=${route.href({ account: session.account, page: kind, id: found.id })}>Open the other one</a>
    </p>`;
  }
  return restored(own);
}

function changed<T extends { id: string }>(own: Troubled<T>, theirs: T, etag: string | null): TemplateResult {
  const { edited, document, text } = own;
  return conflict({
    mine: text(document),
    theirs: text(theirs),
    keepMine: () => own.save(etag),
    takeTheirs: () => {
      edited.take(theirs, etag);
      own.use(theirs);
    },
    back: () => {
      edited.trouble = null;
      own.changed();
    },
  });
}

function restored<T extends { id: string }>({ restored, discard }: Troubled<T>): TemplateResult | typeof nothing {
  if (!restored) return nothing;
  return html`<p class="note" role="status">${restored} <button type="button" class="link" @click=${discard}>Discard the draft</button></p>`;
}
