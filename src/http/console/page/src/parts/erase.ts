// Deletes a document after a question.

import { call } from "../api";
import type { Edited } from "../document";
import { route } from "../route";
import { session } from "../session";
import { ask, explain, notify } from "../ui";

/** Asks, deletes the document and its draft, and goes back to the list. `text` explains the consequence. */
export async function erase<T extends { id: string }>(edited: Edited<T>, text: string, gone: () => void): Promise<void> {
  const { kind } = edited;
  if (!(await ask({ title: `Delete this ${kind}?`, text, yes: "Delete", danger: true }))) return;
  try {
    await call(edited.removal());
  } catch (error) {
    return notify(explain(error), "bad");
  }
  edited.forget();
  gone();
  notify(kind === "template" ? "Template deleted" : "Trigger deleted");
  route.protect(null);
  route.go({ account: session.account, page: `${kind}s` });
}
