// What the node can't do at the moment. It is read every few seconds while the page is visible.

import { Problem, call } from "../api";

const READ_EVERY_MS = 4_000;

export interface Status {
  problems: string[];
}

interface Ready {
  ready: boolean;
  roles: string[];
  full?: boolean;
  store?: string;
}

const REFUSALS: Record<string, string> = {
  stopping: "The node is stopping: it accepts no events and sends what it has.",
  store_unavailable: "Redis is unavailable: events are refused until it is back.",
  engine_full: "The node is full: events get 429 until deliveries have gone out.",
};

const STORES: Record<string, string> = {
  unreachable: "The store can't be reached: nothing can be saved now. What is live stays live.",
  read_only: "The disk is full: nothing can be saved until there is room again. What is live stays live.",
};

async function readStatus(): Promise<string[]> {
  try {
    const { body } = await call<Ready>({ method: "GET", path: "/readyz" });
    const problems: string[] = [];
    if (body.full) problems.push(REFUSALS["engine_full"]!);
    if (body.store) problems.push(STORES[body.store] ?? `The store says: ${body.store}.`);
    if (!body.roles.includes("dispatch")) problems.push("This node does not send: activity and destinations are on the nodes that do.");
    return problems;
  } catch (error) {
    // The session reports an unreachable node.
    if (!(error instanceof Problem) || error.status === 0) return [];
    return [REFUSALS[error.code] ?? error.detail];
  }
}

export function watchStatus(onStatus: (status: Status) => void): void {
  const update = async () => onStatus({ problems: await readStatus() });
  void update();
  setInterval(() => !document.hidden && void update(), READ_EVERY_MS);
}
