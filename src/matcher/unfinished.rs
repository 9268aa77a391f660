//! Writes the firings of a request to the journal: all that are known when the request is accepted, and the rest of a
//! paced request as it is found. What can't be written then is tried again: its producer waits, since a part of the request
//! is handed on already and must not be sent again.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::fired_event::FiredEvent;
use crate::flow::event_data::EventData;
use crate::flow::journal::{AcceptJournal, JournaledFirings, NotKept, PartToJournal, RequestJournal};
use crate::flow::permit::Admission;
use crate::flow::refusal::Refusal;

/// A request whose firings are not all found yet, shared by its cursors.
#[derive(Debug, Clone)]
pub(super) struct UnfinishedRequest(Arc<Mutex<UnfinishedState>>);

#[derive(Debug)]
struct UnfinishedState {
    request: Box<dyn RequestJournal>,
    /// Cursors that are not finished.
    cursors: usize,
    admission: Admission,
    /// The journal has lost a part of it.
    is_lost: bool,
}

impl Drop for UnfinishedState {
    /// The node stops before all of the request is kept.
    fn drop(&mut self) {
        if self.cursors > 0 && !self.is_lost {
            self.admission.replace_response(Err(Refusal::Stopping));
        }
    }
}

/// Writes the firings of a request that are found so far, before any of them is handed on. `cursors` of the request's
/// cursors will find more. Returns what those need, and the handles of each event's firings, in order.
pub(super) fn begin<'a>(
    journal: &dyn AcceptJournal,
    fired: impl Iterator<Item = &'a FiredEvent>,
    cursors: usize,
    admission: &Admission,
) -> Result<(UnfinishedRequest, std::vec::IntoIter<JournaledFirings>), Refusal> {
    let mut request = journal.begin_request();
    let journaled = add(request.as_mut(), fired).map_err(NotKept::refusal)?;
    let state = UnfinishedState { request, cursors, admission: Arc::clone(admission), is_lost: false };
    Ok((UnfinishedRequest(Arc::new(Mutex::new(state))), journaled))
}

fn add<'a>(
    request: &mut dyn RequestJournal,
    fired: impl Iterator<Item = &'a FiredEvent>,
) -> Result<std::vec::IntoIter<JournaledFirings>, NotKept> {
    let fired: Vec<&FiredEvent> = fired.collect();
    let firings: Vec<(u64, &str)> = fired.iter().flat_map(|fired| fired.listed()).collect();
    let mut rest = firings.as_slice();
    let parts: Vec<PartToJournal<'_>> = fired.iter().map(|fired| part(fired, &mut rest)).collect();
    Ok(request.add(&parts)?.into_iter())
}

/// An event, with its firings, which are the first of `rest`.
pub(super) fn part<'a>(fired: &'a FiredEvent, rest: &mut &'a [(u64, &'a str)]) -> PartToJournal<'a> {
    let (firings, after) = rest.split_at(fired.triggers.len());
    *rest = after;
    let EventData { data, .. } = &*fired.event;
    let attributes = data.details().attributes.to_text();
    // Only a CloudEvent without data has none of its own.
    let data = data.source().unwrap_or("{}");
    PartToJournal { event: &fired.event, attributes, data, firings, is_last: false }
}

impl UnfinishedRequest {
    /// Writes one more event.
    pub(super) fn add(&self, fired: &FiredEvent) -> Result<Option<JournaledFirings>, NotKept> {
        let mut state = self.state();
        if state.is_lost {
            return Err(NotKept::Ever(Refusal::Unavailable));
        }
        let added = add(state.request.as_mut(), std::iter::once(fired));
        added.map(|mut journaled| journaled.next())
    }

    /// One cursor is finished. The last one commits the request, if that is possible now.
    pub(super) fn finish(&self) -> Result<(), NotKept> {
        let mut state = self.state();
        if state.cursors == 1 && !state.is_lost {
            let admission = Box::new(Arc::clone(&state.admission));
            state.request.commit(admission)?;
        }
        state.cursors -= 1;
        Ok(())
    }

    /// The journal can't keep the request any more: its producer gets this refusal. False if it was lost before.
    pub(super) fn lose(&self, refusal: &Refusal) -> bool {
        let mut state = self.state();
        if !state.is_lost {
            state.admission.replace_response(Err(refusal.clone()));
        }
        !std::mem::replace(&mut state.is_lost, true)
    }

    /// A poisoned lock is still valid: a request that is not committed is not kept.
    fn state(&self) -> MutexGuard<'_, UnfinishedState> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
