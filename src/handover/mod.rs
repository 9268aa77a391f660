//! Between the renderer and the dispatcher: how a delivery reaches a node that sends it. With an embedded store the
//! node's own dispatch threads get it directly. With Redis it goes through [`streams`] that all nodes share.

pub mod journal;
#[cfg(feature = "redis")]
pub mod streams;
