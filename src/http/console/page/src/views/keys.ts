// Keys: create one, show it once, delete it.

import { type TemplateResult, html, nothing } from "lit";
import { type Request, call, list } from "../api";
import { session } from "../session";
import { View, action, ask, curlButton, explain, notify } from "../ui";

interface Key {
  id: string;
  name: string;
  scope: string;
  account?: string;
  created: string;
}

const SCOPES: [string, string][] = [
  ["account", "Account: manages one account"],
  ["producer", "Producer: posts events"],
  ["operator", "Operator: everything"],
];

export class Keys extends View {
  static override properties = { tick: { state: true } };
  private tick = 0;
  private items: Key[] | null = null;
  private error = "";
  private scope = "account";
  private account = session.account;
  private name = "";

  override connectedCallback(): void {
    super.connectedCallback();
    void this.load();
  }

  private async load(): Promise<void> {
    try {
      this.items = (await list<Key>("/v1/keys")).items;
      this.error = "";
    } catch (error) {
      this.error = explain(error);
    }
    this.tick++;
  }

  private get creation(): Request {
    const account = this.scope === "operator" || !this.account ? {} : { account: this.account };
    return { method: "POST", path: "/v1/keys", body: { name: this.name, scope: this.scope, ...account } };
  }

  private async create(event: Event): Promise<void> {
    event.preventDefault();
    try {
      const { body } = await call<Key & { key: string }>(this.creation);
      dispatchEvent(new CustomEvent("ph-secret", { detail: { title: "The new key", key: body.key } }));
      this.name = "";
      await this.load();
    } catch (error) {
      notify(explain(error), "bad");
    }
  }

  private deletion(key: Key): Request {
    return { method: "DELETE", path: `/v1/keys/${encodeURIComponent(key.id)}` };
  }

  private async erase(key: Key): Promise<void> {
    const title = `Delete the key ${key.name || key.id}?`;
    if (!(await ask({ title, text: "Whoever uses it is refused from now on.", yes: "Delete", danger: true }))) return;
    try {
      await call(this.deletion(key));
      notify("Key deleted");
      await this.load();
    } catch (error) {
      notify(explain(error), "bad");
    }
  }

  protected override render(): TemplateResult {
    const value = (event: Event) => (event.target as HTMLInputElement).value;
    return html`<h1 tabindex="-1">Keys</h1>
      ${this.error ? html`<p class="error-text" role="alert">${this.error}</p>` : nothing}
      <form class="panel filters" @submit=${this.create} aria-label="New key">
        <label class="field">
          <span>Scope</span>
          <select id="scope" @change=${(e: Event) => ((this.scope = value(e)), this.tick++)}>
            ${SCOPES.map(([own, label]) => html`<option value=${own} ?selected=${own === this.scope}>${label}</option>`)}
          </select>
        </label>
        ${this.scope === "operator"
          ? nothing
          : html`<label class="field">
              <span>Account${this.scope === "producer" ? " (empty: any)" : ""}</span>
              <input id="key-account" spellcheck="false" ?required=${this.scope === "account"} .value=${this.account} @input=${(e: Event) => ((this.account = value(e).trim()), this.tick++)} />
            </label>`}
        <label class="field">
          <span>Name</span>
          <input id="key-name" maxlength="200" placeholder="who uses it" .value=${this.name} @input=${(e: Event) => ((this.name = value(e)), this.tick++)} />
        </label>
        <span class="action"><button type="submit" class="primary">Create key</button>${curlButton("Create key", this.creation)}</span>
      </form>
      ${this.items?.length
        ? html`<div class="scroll" tabindex="0" role="region" aria-label="All keys">
            <table class="stacked" role="table">
              <thead role="rowgroup">
                <tr role="row">${["Name", "Scope", "Account", "Created"].map((name) => html`<th scope="col" role="columnheader">${name}</th>`)}<th scope="col" role="columnheader"><span class="hidden">Actions</span></th></tr>
              </thead>
              <tbody role="rowgroup">
                ${this.items.map(
                  (key) => html`<tr role="row">
                    <th scope="row" role="rowheader">${key.name || key.id}</th>
                    <td role="cell"><span class="badge">${key.scope}</span></td>
                    <td role="cell">${key.account ?? "—"}</td>
                    <td role="cell"><time datetime=${key.created}>${new Date(key.created).toLocaleString("en-GB", { dateStyle: "medium", timeStyle: "short" })}</time></td>
                    <td role="cell" class="number last">${action({ label: "Delete", kind: "danger", request: this.deletion(key), run: () => void this.erase(key) })}</td>
                  </tr>`,
                )}
              </tbody>
            </table>
          </div>`
        : this.items
          ? html`<p class="hint">There are no keys${session.key ? " besides the operator's own in the settings" : ""}.</p>`
          : nothing}`;
  }
}

customElements.define("ph-keys", Keys);
