// The location within the console: the part of the URL after `#`, in the form of a query. It can be linked to, such as
// `#account=acme&page=template&id=chat`. It never contains a key.

export type Place = Record<string, string>;

/** Asks whether to leave the view; `null` if there is nothing to ask. */
type Guard = () => Promise<boolean> | null;

class Route extends EventTarget {
  private guard: Guard | null = null;
  private isAsking = false;
  private current = location.hash;
  /** The positions in the history: of the shown view, and of the last entry that the browser went to. */
  private shown = 0;
  private last = 0;
  /** How often the location has changed to another view. */
  visits = 0;

  constructor() {
    super();
    this.shown = this.position();
    addEventListener("hashchange", () => void this.moved());
  }

  get place(): Place {
    return Object.fromEntries(new URLSearchParams(this.current.replace(/^#/, "")));
  }

  /** Called before the location changes; the answer false prevents the change. */
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
    history.replaceState(history.state, "", this.current);
  }

  /** The position of the present entry of the history. A new entry gets the one after the last. */
  private position(): number {
    const at = (history.state as { at?: number } | null)?.at;
    this.last = at ?? this.last + 1;
    if (at === undefined) history.replaceState({ at: this.last }, "");
    return this.last;
  }

  private async moved(): Promise<void> {
    const steps = this.position() - this.shown;
    const next = location.hash;
    if (next === this.current) return;
    // A second change meets the question about the first.
    const question = this.isAsking ? null : this.guard?.();
    if (question || this.isAsking) {
      // The entry of the view is shown until the question is answered. Going back to it leaves the history as it is.
      if (steps) history.go(-steps);
      if (!question) return;
      this.isAsking = true;
      const isLeaving = await question;
      this.isAsking = false;
      if (!isLeaving) return;
      this.guard = null;
      return steps ? history.go(steps) : this.moved();
    }
    this.guard = null;
    [this.current, this.shown] = [next, this.last];
    this.visits++;
    this.dispatchEvent(new Event("change"));
  }
}

export const route = new Route();
