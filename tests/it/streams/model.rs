//! A model of how nodes share deliveries through a stream: the proof behind "at most one attempt, none
//! lost before it". Here is what there is, in [`super::steps`] what may happen to it between any two other
//! steps, and [`super::interleavings`] looks at every state that can come of it, and breaks the protocol in
//! known ways, each of which must be found. It runs no code of the engine: its steps are those of
//! `src/streams`, by the same names.

/// All there is: what Redis holds, and what each node knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct State<const NODES: usize, const ENTRIES: usize> {
    pub(super) entries: [Entry; ENTRIES],
    pub(super) nodes: [Node<ENTRIES>; NODES],
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Entry {
    /// Which delivery it is: its own, unless an ingest node adds one twice.
    pub(super) delivery: u8,
    pub(super) write: Write,
    pub(super) place: Place,
    /// A redeem request that its node has given up on is still on its way to Redis.
    pub(super) unheard: bool,
    /// POSTs begun of the delivery with this number.
    pub(super) posts: u8,
    /// It may end without a POST: it was dropped, since it is no delivery, or a kill between leave and POST
    /// took it, or an answer that was never heard.
    pub(super) excused: bool,
}

/// What the ingest node heard of its `XADD`; of silence it tells the producer 503.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Write {
    Unsent,
    Silent,
    /// It was answered, or has been done in silence.
    Done,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Place {
    Absent,
    /// In the stream, given to nobody.
    Waiting,
    /// In the stream and pending, under the name that this node now has.
    Held(u8),
    /// Pending under a name that no node has (any more): a dead one's, that of what was given back, or one that it is
    /// parked under.
    Ownerless,
    /// Acknowledged and gone from the stream.
    Gone,
    /// Acknowledged, and still in the stream: must never be.
    Acknowledged,
    /// In the stream, and pending nowhere: nobody will ever have it.
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
    /// Redis gave it; the reply is on its way.
    Arriving,
    Ticket,
    /// A request to park it or to give it back is on its way.
    Returning,
    /// A redeem request is on its way.
    Asked,
    /// Redis has acknowledged it for this node; the answer is on its way.
    Won,
    /// The answer was heard: the POST may begin.
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
    /// Nothing was added; all nodes run.
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

    /// Nodes are alike: states that differ in their order only are one.
    pub(super) fn in_order(self) -> Self {
        let mut order: [usize; NODES] = std::array::from_fn(|node| node);
        let held = |node: usize| {
            self.entries.iter().fold(0_u8, |bits, e| bits * 2 + u8::from(e.place == Place::Held(node as u8)))
        };
        order.sort_by_cached_key(|&node| (rank(&self.nodes[node]), held(node)));
        self.with(|state| {
            state.nodes = std::array::from_fn(|at| self.nodes[order[at]]);
            for entry in &mut state.entries {
                // A request for what is gone changes nothing any more.
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
