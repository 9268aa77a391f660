// The location within the console: the part of the URL after `#`, in the form of a query. It can be linked to, such as
// `#account=acme&page=template&id=chat`. It never contains a key.

export type Place = Record<string, string>;

type Guard = () => Promise<boolean>;

class Route extends EventTarget {
  private guard: Guard | null = null;
  private current = location.hash;
  /** How often the location has changed to another view. */
  visits = 0;

  constructor() {
    super();
    addEventListener("hashchange", () => void this.moved());
  }

  get place(): Place {
    return Object.fromEntries(new URLSearchParams(this.current.replace(/^#/, "")));
  }

  /** Called before the location changes; false prevents the change. */
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

  /** Changes the location without a new history entry, and without another view. */
  replace(place: Place): void {
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
    this.visits++;
    this.dispatchEvent(new Event("change"));
  }
}

export const route = new Route();
