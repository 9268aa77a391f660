// The frame of the page: sign-in, the selected account, navigation, and what the node can't do at the moment.

import { type TemplateResult, html, nothing } from "lit";
import { Problem } from "./api";
import { forget } from "./dictionary";
import { accounts } from "./memory";
import { type Status, watchStatus } from "./parts/status";
import { route } from "./route";
import { session } from "./session";
import { View, copy } from "./ui";
import "./views/activity";
import "./views/destinations";
import "./views/keys";
import "./views/list";
import { whoIs } from "./views/sign-in";
import "./views/template";
import "./views/trigger";

const NOTICE_MS = 5_000;

interface Page {
  id: string;
  title: string;
  operator?: boolean;
  activity?: boolean;
}

const PAGES: Page[] = [
  { id: "templates", title: "Templates" },
  { id: "triggers", title: "Triggers" },
  { id: "activity", title: "Activity", activity: true },
  { id: "destinations", title: "Destinations", operator: true },
  { id: "keys", title: "Keys", operator: true },
];

class App extends View {
  static override properties = { tick: { state: true } };
  private tick = 0;
  private status: Status = { problems: [] };
  private notice: { text: string; kind: string } | null = null;
  private noticeTimer = 0;
  private secret: { title: string; key: string } | null = null;
  private shownPlace = "";

  override connectedCallback(): void {
    super.connectedCallback();
    const changed = () => this.tick++;
    session.addEventListener("change", changed);
    route.addEventListener("change", () => this.arrived());
    addEventListener("ph-notice", (event) => this.say((event as CustomEvent<{ text: string; kind: string }>).detail));
    addEventListener("ph-secret", (event) => void this.show((event as CustomEvent<{ title: string; key: string }>).detail));
    addEventListener("keydown", (event) => (this.querySelector("main")?.firstElementChild as { shortcut?: (e: KeyboardEvent) => void } | null)?.shortcut?.(event));
    watchStatus((status) => {
      this.status = status;
      changed();
    });
    void this.enter();
  }

  /** Signs in with the key of this tab, or without one if the node has no operator key. */
  private async enter(): Promise<void> {
    try {
      session.signIn(session.key, await whoIs(session.key));
    } catch (error) {
      session.whoami = null;
      // If the node wants a key, the sign-in page is shown.
      if (error instanceof Problem && error.status === 403) session.refusal = error.detail;
    }
    this.arrived();
  }

  private arrived(): void {
    const account = route.place["account"] ?? "";
    if (session.whoami?.scope === "operator" && account && account !== session.account) {
      session.selectAccount(account);
      accounts.add(account);
    }
    this.tick++;
    void this.updateComplete.then(() => {
      const where = `${route.place["page"]} ${route.place["id"]}`;
      if (where === this.shownPlace) return;
      this.shownPlace = where;
      this.querySelector<HTMLElement>("main h1")?.focus({ preventScroll: true });
      scrollTo(0, 0);
    });
  }

  private say(notice: { text: string; kind: string }): void {
    this.notice = notice;
    clearTimeout(this.noticeTimer);
    this.noticeTimer = window.setTimeout(() => {
      this.notice = null;
      this.tick++;
    }, NOTICE_MS);
    this.tick++;
  }

  private async show(secret: { title: string; key: string }): Promise<void> {
    this.secret = secret;
    this.tick++;
    await this.updateComplete;
    this.querySelector<HTMLDialogElement>("dialog.secret")?.showModal();
  }

  private openAccount(event: Event): void {
    event.preventDefault();
    const account = this.querySelector<HTMLInputElement>("#account")!.value.trim();
    if (!account || account === session.account) return;
    forget();
    const page = route.place["page"] ?? "templates";
    route.go({ account, page: page === "template" || page === "trigger" ? `${page}s` : page });
  }

  protected override render(): TemplateResult | typeof nothing {
    if (session.whoami === undefined) return nothing;
    document.title = this.title_;
    if (!session.whoami) return html`${this.renderStatus()}<ph-sign-in></ph-sign-in>${this.renderNotice()}`;
    return html`<a class="skip" href="#main" @click=${this.skip}>Skip to content</a>
      ${this.renderHeader()} ${this.renderStatus()}
      <main id="main" tabindex="-1">${this.renderPage()}</main>
      ${this.renderNotice()} ${this.renderSecret()}`;
  }

  private get page(): string {
    return route.place["page"] ?? "templates";
  }

  private get title_(): string {
    const page = PAGES.find((own) => this.page === own.id || this.page === own.id.slice(0, -1));
    const id = route.place["id"];
    return session.whoami ? [id, page?.title, session.account, "Posthaste"].filter(Boolean).join(" · ") : "Sign in · Posthaste";
  }

  /** Moves the focus to the content. The URL stays as it is. */
  private skip(event: Event): void {
    event.preventDefault();
    this.querySelector<HTMLElement>("main")?.focus();
  }

  private renderHeader(): TemplateResult {
    const { scope, activity } = session.whoami!;
    const isOperator = scope === "operator";
    const pages = PAGES.filter((page) => (isOperator || !page.operator) && (activity || !page.activity));
    return html`<header>
      <span class="brand"><img src="console/icon.svg" alt="" width="26" height="26" />Posthaste</span>
      <nav aria-label="Pages">
        ${pages.map((page) => {
          const isHere = this.page === page.id || this.page === page.id.slice(0, -1);
          return html`<a href=${route.href({ account: session.account, page: page.id })} aria-current=${isHere ? "page" : nothing}>${page.title}</a>`;
        })}
      </nav>
      <span class="grow"></span>
      ${isOperator
        ? html`<form class="account" @submit=${this.openAccount}>
            <label><span>Account</span><input id="account" list="accounts" spellcheck="false" autocomplete="off" .value=${session.account} @change=${this.openAccount} /></label>
            <datalist id="accounts">${accounts.read().map((own) => html`<option value=${own}></option>`)}</datalist>
          </form>`
        : html`<span class="account"><span>Account</span> <strong>${session.account}</strong></span>`}
      ${session.key ? html`<button type="button" class="plain" @click=${() => session.signOut()}>Sign out</button>` : nothing}
    </header>`;
  }

  private renderStatus(): TemplateResult {
    const problems = session.reachable ? this.status.problems : ["The node does not respond. What you write is kept as a draft in this browser."];
    return html`<div class="node-status" role="status">${problems.map((text) => html`<p>${text}</p>`)}</div>`;
  }

  private renderPage(): TemplateResult {
    const { scope, activity } = session.whoami!;
    const { account: _, ...place } = route.place;
    const linked = route.place["account"];
    if (scope === "account" && linked && linked !== session.account) {
      return html`<h1 tabindex="-1">Another account</h1>
        <p class="note">This key opens the account <strong>${session.account}</strong>, and the link is for <strong>${linked}</strong>.</p>
        <p><a class="button" href=${route.href({ account: session.account, page: "templates" })}>Go to ${session.account}</a></p>`;
    }
    if (this.page === "activity") return activity ? html`<ph-activity .place=${place}></ph-activity>` : this.closed("Activity is for the operator here. Failures are quiet: nobody is told of them but the operator.");
    if (this.page === "destinations" || this.page === "keys") {
      if (scope !== "operator") return this.closed("This page is for the operator.");
      return this.page === "keys" ? html`<ph-keys></ph-keys>` : html`<ph-destinations></ph-destinations>`;
    }
    if (!session.account) return this.renderWelcome();
    // A view belongs to one account and one visit. A new document's view stays when the document gets its id.
    const key = `${session.account}/${route.visits}`;
    const id = place["id"] ?? "";
    switch (this.page) {
      case "template":
        return keyed(key, html`<ph-template .place=${{ id }}></ph-template>`);
      case "trigger":
        return keyed(key, html`<ph-trigger .place=${{ ...place, id }}></ph-trigger>`);
      case "triggers":
        return keyed(key, html`<ph-triggers></ph-triggers>`);
      default:
        return keyed(key, html`<ph-templates></ph-templates>`);
    }
  }

  private closed(text: string): TemplateResult {
    return html`<h1 tabindex="-1">This key has no access</h1><p class="note">${text}</p>`;
  }

  private renderWelcome(): TemplateResult {
    const known = accounts.read();
    return html`<h1 tabindex="-1">Which account?</h1>
      <p class="lead">You are the operator. Name the account whose templates and triggers you want to see, at the top right.</p>
      ${known.length
        ? html`<ul class="cards">${known.map((own) => html`<li><a class="card" href=${route.href({ account: own, page: this.page })}><span class="title">${own}</span></a></li>`)}</ul>`
        : nothing}`;
  }

  private renderNotice(): TemplateResult {
    return html`<div class="notices" role="status" aria-live="polite">${this.notice ? html`<p class=${this.notice.kind}>${this.notice.text}</p>` : nothing}</div>`;
  }

  private renderSecret(): TemplateResult | typeof nothing {
    if (!this.secret) return nothing;
    const { title, key } = this.secret;
    const done = () => {
      this.secret = null;
      this.tick++;
    };
    return html`<dialog class="secret" aria-labelledby="secret-title" @close=${done}>
      <h2 id="secret-title">${title}</h2>
      <p>It is shown only once. Copy it now.</p>
      <code class="key">${key}</code>
      <div class="row end">
        <button type="button" @click=${() => copy(key, "Key")}>Copy</button>
        <button type="button" class="primary" @click=${() => this.querySelector<HTMLDialogElement>("dialog.secret")?.close()}>I have it</button>
      </div>
    </dialog>`;
  }
}

import { keyed as directive } from "lit/directives/keyed.js";

function keyed(key: string, view: TemplateResult): TemplateResult {
  return html`${directive(key, view)}`;
}

customElements.define("ph-app", App);
