//! An event after it was matched. Its identity is kept apart from its data: deliveries share the identity, and the data
//! ends with the last rendering.

use crate::model::event::{Event, EventIdentity};
use crate::templating::{Data, EventDetails};

/// An event in the form that templates, and the journal, read.
#[derive(Debug)]
pub struct EventData {
    /// Whether its id is the producer's.
    pub id_given: bool,
    /// How many deliveries in a row led to the event.
    pub hops: u8,
    /// The data that templates read.
    pub data: Data,
}

impl EventData {
    /// Takes an event apart that was read.
    pub fn of(event: Event) -> Self {
        let Event { identity, id_given, time, attributes, hops, data } = event;
        Self { id_given, hops, data: Data::of(data, EventDetails { identity, time, attributes }) }
    }

    /// Distinguishes the event from all others.
    pub fn identity(&self) -> &EventIdentity {
        &self.data.details().identity
    }
}
