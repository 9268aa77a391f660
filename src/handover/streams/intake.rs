//! What the consumers and claims of one thread share: how entries become deliveries with claims, and the consumer
//! name for each stream.

use std::cell::RefCell;
use std::sync::Arc;

use tokio::sync::oneshot;

use super::entry::{EntryContent, EntryReader, StreamEntry};
use super::target_text::NotADelivery;
use super::{STREAMS, Streams, reply, stream_key};
use crate::flow::gate::{Gate, StreamPermit};
use crate::flow::in_flight::{Claim, InFlight, InFlightParts, PackPart, StreamClaims, StreamKind};
use crate::flow::last_account::LastAccount;
use crate::flow::permit::Permit;
use crate::model::outcome::DropReason;
use crate::telemetry::metrics::Metrics;

/// A delivery needs one permit for each started block of this many bytes of its body, so that permits bound memory too.
pub(super) const PERMIT_BYTES: usize = 65_536;

/// A partition that this node reads.
#[derive(Debug)]
pub(super) struct PartitionSource {
    pub(super) partition: usize,
    /// The keys of its streams; scripts get the first.
    pub(super) streams: [String; STREAMS],
    /// Its consumer name: a new one after each broken connection, since responses to the old name may be lost. `None`
    /// while it has none.
    consumer: RefCell<Option<String>>,
}

impl PartitionSource {
    pub(super) fn new(partition: usize) -> Self {
        let streams = StreamKind::ALL.map(|stream| stream_key(partition, stream));
        Self { partition, streams, consumer: RefCell::default() }
    }

    pub(super) fn consumer(&self) -> Option<String> {
        self.consumer.borrow().clone()
    }

    pub(super) fn is_consumer(&self, name: &str) -> bool {
        self.consumer.borrow().as_deref() == Some(name)
    }

    pub(super) fn begin(&self, name: &str) {
        self.consumer.replace(Some(name.to_owned()));
    }

    /// Gives up the name; it gets no more heartbeats.
    pub(super) fn renew_name(&self) {
        self.consumer.take();
    }
}

/// Turns entries into deliveries.
pub(super) struct Intake {
    pub(super) streams: Streams,
    pub(super) gate: Arc<Gate>,
    pub(super) metrics: Arc<Metrics>,
    reader: RefCell<EntryReader>,
    last_account: LastAccount,
}

impl Intake {
    pub(super) fn new(streams: Streams, gate: Arc<Gate>, metrics: Arc<Metrics>) -> Self {
        Self { streams, gate, metrics, reader: RefCell::default(), last_account: LastAccount::default() }
    }

    /// Returns each entry with its claim and, if `permits` is given, a part of the permits. Entries that are not
    /// deliveries are removed from the stream.
    pub(super) fn unpack(
        &self,
        partition: usize,
        claims: &StreamClaims,
        entries: Vec<StreamEntry>,
        mut permits: Option<StreamPermit>,
    ) -> Vec<InFlight> {
        let mut deliveries = Vec::with_capacity(entries.iter().map(StreamEntry::deliveries).sum());
        let mut unreadable: Option<(usize, NotADelivery)> = None;
        let mut permit =
            |permits_needed| permits.as_mut().and_then(|own| own.split(permits_needed)).or_else(|| permits.take());
        let claim = |place, account| Claim::new(place, account, claims.clone(), self.gate.count_delivery());
        for entry in entries {
            let (id, needed, of) = (entry.id, permits_of(&entry), entry.parts());
            let read = self.reader.borrow_mut().read_all(entry);
            match read {
                // All were won, and a node could not remove it.
                Ok(read) if read.is_empty() => {
                    claim((id, PackPart { index: 0, of }), None).discard(DropReason::EntryUnreadable, None);
                }
                Ok(read) => {
                    let each = needed / read.len().max(1);
                    for (part, read) in read {
                        let claim = claim((id, part), read.counts_for());
                        deliveries.push(self.in_flight((partition, id.stream), read, claim, permit(each)));
                    }
                }
                Err(reason) => {
                    unreadable = Some((unreadable.map_or(1, |(entries, _)| entries + 1), reason));
                    let permit = permit(needed).map(Permit::Stream);
                    claim((id, PackPart::ONLY), None).discard(DropReason::EntryUnreadable, permit);
                }
            }
        }
        // One log line for all of them: there may be as many as a stream holds.
        if let Some((entries, reason)) = unreadable {
            tracing::warn!(partition, entries, %reason, "entries of a stream are not deliveries and are removed");
        }
        deliveries
    }

    fn in_flight(
        &self,
        (partition, stream): (usize, StreamKind),
        read: EntryContent,
        claim: Claim,
        permit: Option<StreamPermit>,
    ) -> InFlight {
        let is_late = self.streams.is_late(partition, stream, read.accepted_at.elapsed());
        // The body is in memory already; whether there is room for it is decided at its destination.
        let account = self.last_account.get(&self.gate, &read.account).deliver(read.delivery.body.len());
        let report = read.reply.filter(|key| reply::is_key(partition, key)).map(|key| {
            let (report, reported) = oneshot::channel();
            actix_rt::spawn(reply::leave(self.streams.clone(), key, reported));
            report
        });
        InFlight::new(InFlightParts {
            account,
            is_test: report.is_some(),
            delivery: read.delivery,
            accepted_at: read.accepted_at,
            permit: permit.map(Permit::Stream),
            claim: Some(claim.late(is_late)),
            journaled: None,
            report,
        })
    }
}

/// How many permits an entry needs. A pack of several has less than two blocks.
pub(super) fn permits_of(entry: &StreamEntry) -> usize {
    let deliveries = entry.deliveries();
    if deliveries == 1 { entry.size() / PERMIT_BYTES + 1 } else { deliveries }
}
