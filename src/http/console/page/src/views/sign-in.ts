// Signing in: with a key, or without one if the node has no operator key.

import { html, nothing } from "lit";
import { Problem, call } from "../api";
import { type Whoami, session } from "../session";
import { View, explain } from "../ui";

/** What a key is for; `null` asks without a key. */
export async function whoIs(key: string | null): Promise<Whoami> {
  const before = session.key;
  session.key = key;
  try {
    return (await call<Whoami>({ method: "GET", path: "/v1/whoami" })).body;
  } finally {
    session.key = before;
  }
}

export class SignIn extends View {
  static override properties = { error: { state: true }, busy: { state: true } };
  private error = "";
  private busy = false;

  private async submit(event: Event): Promise<void> {
    event.preventDefault();
    const field = this.querySelector<HTMLInputElement>("#key")!;
    const key = field.value.trim();
    if (!key) return;
    this.busy = true;
    this.error = "";
    try {
      const whoami = await whoIs(key);
      if (whoami.scope === "producer") {
        this.error = "This key can only post events. Use an account's key or the operator's.";
      } else {
        session.signIn(key, whoami);
      }
    } catch (error) {
      const refused = error instanceof Problem && error.status === 401;
      this.error = refused ? "This key is not known. It may have been revoked; ask your operator for a new one." : explain(error);
    }
    this.busy = false;
    await this.updateComplete;
    field.focus();
  }

  protected override render() {
    const error = this.error || session.refusal;
    return html`<main id="main" class="sign-in">
      <h1 tabindex="-1"><img src="console/icon.svg" alt="" width="36" height="36" /> Posthaste</h1>
      <form @submit=${this.submit}>
        <label class="field">
          <span>Key</span>
          <input
            id="key"
            type="password"
            autocomplete="off"
            spellcheck="false"
            aria-describedby="key-hint"
            aria-invalid=${error ? "true" : "false"}
            autofocus
          />
        </label>
        ${error ? html`<p class="error-text" role="alert">${error}</p>` : nothing}
        <button type="submit" class="primary" ?disabled=${this.busy}>Sign in</button>
        <p class="hint" id="key-hint">
          A key begins with <code>phk_</code>. It stays in this tab, is forgotten when you close it, and is never part of an
          address.
        </p>
      </form>
    </main>`;
  }
}

customElements.define("ph-sign-in", SignIn);
