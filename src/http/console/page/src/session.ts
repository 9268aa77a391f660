// Who is signed in, and what the node can't do at the moment. The key is kept in session storage, never in a URL.

const KEY = "posthaste:key";
const ACCOUNT = "posthaste:account";

export interface Whoami {
  scope: "operator" | "producer" | "account";
  account?: string;
  activity: boolean;
  node: string;
  version: string;
}

class Session extends EventTarget {
  key: string | null = sessionStorage.getItem(KEY);
  /** `undefined` until the node has responded. */
  whoami: Whoami | null | undefined;
  /** The selected account. */
  account = sessionStorage.getItem(ACCOUNT) ?? "";
  /** Why the last key was refused. */
  refusal = "";
  reachable = true;

  changed(): void {
    this.dispatchEvent(new Event("change"));
  }

  signIn(key: string | null, whoami: Whoami): void {
    this.key = key;
    this.whoami = whoami;
    this.refusal = "";
    if (key) sessionStorage.setItem(KEY, key);
    if (whoami.account) this.selectAccount(whoami.account);
    this.changed();
  }

  signOut(): void {
    sessionStorage.removeItem(KEY);
    sessionStorage.removeItem(ACCOUNT);
    this.key = null;
    this.whoami = null;
    this.account = "";
    this.changed();
  }

  /** The node no longer accepts the key. */
  refused(detail: string): void {
    if (!this.whoami) return;
    this.refusal = detail;
    this.signOut();
  }

  selectAccount(account: string): void {
    this.account = account;
    sessionStorage.setItem(ACCOUNT, account);
    this.changed();
  }

  setReachable(reachable: boolean): void {
    if (this.reachable === reachable) return;
    this.reachable = reachable;
    this.changed();
  }
}

export const session = new Session();
