// What is kept in this browser: drafts and chosen samples. Never a key, a header value or a secret.

import { read as parsed, write as text } from "./json";

const PREFIX = "posthaste:";
/** The most drafts; beyond it, the oldest is removed. */
const DRAFTS_MAX = 40;

export interface Draft<T> {
  document: T;
  etag: string | null;
  at: number;
}

function read<T>(name: string): T | null {
  try {
    return parsed(localStorage.getItem(PREFIX + name) ?? "null") as T | null;
  } catch {
    return null;
  }
}

/** False if the browser has no room, or does not allow storage. */
function write(name: string, value: unknown): boolean {
  try {
    localStorage.setItem(PREFIX + name, text(value));
    return true;
  } catch {
    return false;
  }
}

function forget(name: string): void {
  try {
    localStorage.removeItem(PREFIX + name);
  } catch {
    // A browser that allows no storage has nothing to remove.
  }
}

/** An account or an id may have a colon, so that of the account is written differently. */
function named(kind: string, account: string, id: string): string {
  return `draft:${kind}:${encodeURIComponent(account)}:${id}`;
}

export const drafts = {
  read: <T>(kind: string, account: string, id: string) => read<Draft<T>>(named(kind, account, id)),
  keep<T>(kind: string, account: string, id: string, document: T, etag: string | null): boolean {
    const kept = write(named(kind, account, id), { document, etag, at: Date.now() });
    trim();
    return kept;
  },
  drop: (kind: string, account: string, id: string) => forget(named(kind, account, id)),
  /** The ids of the documents that have one; that of a new document is empty. */
  ids(kind: string, account: string): string[] {
    const start = PREFIX + named(kind, account, "");
    return stored().flatMap((name) => (name.startsWith(start) ? [name.slice(start.length)] : []));
  },
};

/** All names in the storage; none if the browser allows no storage. */
function stored(): string[] {
  try {
    return Object.keys(localStorage).sort();
  } catch {
    return [];
  }
}

function trim(): void {
  const names = stored().filter((name) => name.startsWith(`${PREFIX}draft:`));
  if (names.length <= DRAFTS_MAX) return;
  const age = (name: string) => read<Draft<unknown>>(name.slice(PREFIX.length))?.at ?? 0;
  const oldest = names.sort((a, b) => age(a) - age(b))[0];
  if (oldest) localStorage.removeItem(oldest);
}

/** The sample that was last chosen for a template or trigger. */
export interface SampleChoice {
  event: string;
  kind: string;
  pasted: string;
}

export const samples = {
  read: (account: string, id: string) => read<SampleChoice>(`sample:${account}:${id}`),
  keep: (account: string, id: string, choice: SampleChoice) => write(`sample:${account}:${id}`, choice),
};

const ACCOUNTS_MAX = 12;

export const accounts = {
  read: () => read<string[]>("accounts") ?? [],
  add(account: string): void {
    const others = accounts.read().filter((other) => other !== account);
    write("accounts", [account, ...others].slice(0, ACCOUNTS_MAX));
  },
};
