// Where the console is: the part of the URL after `#`, written like a query. `#account=acme&page=template&id=chat` can
// be linked to; a key is never part of it.

export type Place = Record<string, string>;

type Guard = () => Promise<boolean>;

class Route extends EventTarget {
  private guard: Guard | null = null;
  private current = location.hash;

  constructor() {
    super();
    addEventListener("hashchange", () => void this.moved());
  }

  get place(): Place {
    return Object.fromEntries(new URLSearchParams(this.current.replace(/^#/, "")));
  }

  /** Asked before the place is left; false keeps it. */
  protect(guard: Guard | null): void {
    this.guard = guard;
  }

  href(place: Place): string {
    const kept = Object.entries(place).filter(([, value]) => value !== "");
    return `#${new URLSearchParams(kept)}`;
  }

  go(place: Place): void {
    location.hash = this.href(place);
  }

  /** Changes the place without a step in the history and without leaving what is shown. */
  note(place: Place): void {
    this.current = this.href(place);
    history.replaceState(null, "", this.current);
  }

  private async moved(): Promise<void> {
    const next = location.hash;
    if (next === this.current) return;
    if (this.guard) {
      history.replaceState(null, "", this.current);
      if (!(await this.guard())) return;
      this.guard = null;
      history.pushState(null, "", next);
    }
    this.current = next;
    this.dispatchEvent(new Event("change"));
  }
}

export const route = new Route();
