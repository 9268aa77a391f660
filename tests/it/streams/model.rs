//! A model of how nodes share deliveries through a stream: the proof of "at most one attempt, and none lost before it".
//! This file has the state, [`super::steps`] the steps that may happen in any order, and [`super::interleavings`]
//! visits every state that can follow; it also breaks the protocol in known ways, each of which must be detected. The
//! model runs no production code: its steps have the names of those in `src/handover/streams`.

/// The state: what Redis holds, and what each node knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct State<const NODES: usize, const ENTRIES: usize> {
    pub(super) entries: [Entry; ENTRIES],
    pub(super) nodes: [Node<ENTRIES>; NODES],
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Entry {
    /// The delivery's number: the entry's own, unless an ingest node adds one twice.
    pub(super) delivery: u8,
    pub(super) write: Write,
    pub(super) place: Place,
    /// A redeem request that its node has given up is still on its way to Redis.
    pub(super) unheard: bool,
    /// How many POSTs of the delivery with this number have begun.
    pub(super) posts: u8,
    /// It may end without a POST: it was dropped as an invalid entry, or lost by a kill between permission and POST, or
    /// by a lost response.
    pub(super) excused: bool,
}

/// The response to its `XADD`, as the ingest node knows it. Without a response the producer gets 503.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Write {
    Unsent,
    Silent,
    /// Executed, with or without a response.
    Done,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Place {
    Absent,
    /// In the stream, not read yet.
    Waiting,
    /// In the stream and pending, under this node's current name.
    Held(u8),
    /// Pending under a name that no node has: a dead node's, that of returned entries, or one for parked entries.
    Ownerless,
    /// Acknowledged and removed from the stream.
    Gone,
    /// Acknowledged, and still in the stream: must never happen.
    Acknowledged,
    /// In the stream but not pending: no node would ever read it.
    Forgotten,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Node<const ENTRIES: usize> {
    pub(super) life: Life,
    pub(super) hands: [Hand; ENTRIES],
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Life {
    Running,
    Paused,
    Dead,
}

/// What a node has of an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Hand {
    Nothing,
    /// Redis has given it to the node; the response is on its way.
    Arriving,
    Ticket,
    /// A request to park it or to give it back is on its way.
    Returning,
    /// A redeem request is on its way.
    Asked,
    /// Redis has acknowledged it for this node; the response is on its way.
    Won,
    /// The response has arrived: the POST may begin.
    Leave,
}

/// A way to break the protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mutant {
    AttemptsWithoutAnAnswer,
    AcknowledgesAfterThePost,
    AcknowledgesByCount,
    AttemptsWhatItHolds,
    RemovesConsumersWithPending,
    AddsAgainAfterSilence,
    AcknowledgesOnArrival,
    DeletesInAStepOfItsOwn,
    ForgetsToGiveBack,
    KeepsItsNameAfterABreak,
}

/// The protocol, whole or broken.
pub(super) struct Protocol(pub(super) Option<Mutant>);

impl<const NODES: usize, const ENTRIES: usize> State<NODES, ENTRIES> {
    /// Nothing is added yet; all nodes are running.
    pub(super) fn first() -> Self {
        let entry = |delivery| Entry {
            delivery,
            write: Write::Unsent,
            place: Place::Absent,
            unheard: false,
            posts: 0,
            excused: false,
        };
        let node = Node { life: Life::Running, hands: [Hand::Nothing; ENTRIES] };
        Self { entries: std::array::from_fn(|number| entry(number as u8)), nodes: [node; NODES] }
    }

    pub(super) fn with(mut self, change: impl FnOnce(&mut Self)) -> Self {
        change(&mut self);
        self
    }

    pub(super) fn with_hand(self, node: usize, entry: usize, hand: Hand) -> Self {
        self.with(|state| state.nodes[node].hands[entry] = hand)
    }

    /// Nodes are interchangeable: states that differ only in their order are the same.
    pub(super) fn in_order(self) -> Self {
        let mut order: [usize; NODES] = std::array::from_fn(|node| node);
        let held = |node: usize| {
            self.entries.iter().fold(0_u8, |bits, e| bits * 2 + u8::from(e.place == Place::Held(node as u8)))
        };
        order.sort_by_cached_key(|&node| (rank(&self.nodes[node]), held(node)));
        self.with(|state| {
            state.nodes = std::array::from_fn(|at| self.nodes[order[at]]);
            for entry in &mut state.entries {
                // A request for a removed entry changes nothing.
                entry.unheard &= entry.place != Place::Gone;
                if let Place::Held(node) = &mut entry.place {
                    *node = order.iter().position(|&own| own == usize::from(*node)).expect("a node") as u8;
                }
            }
        })
    }
}

fn rank<const E: usize>(node: &Node<E>) -> u64 {
    node.hands.iter().fold(node.life as u64, |all, own| all * 7 + *own as u64)
}
