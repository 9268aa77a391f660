//! The states of a thread's destinations, for the HTTP interface. Between parts of them all other ready tasks of the
//! thread run.

use std::time::Instant;

use actix::{Context, Handler, ResponseFuture};
use tokio::sync::oneshot;

use super::Dispatchers;
use super::cursor::after;
use crate::flow::destination_state::{DestinationStatesQuery, DestinationSurvey};
use crate::model::destination::Destination;

/// How many states are read at a time.
const READ_AT_ONCE: usize = 256;

/// A query that is being answered.
struct SurveyProgress {
    query: DestinationStatesQuery,
    survey: DestinationSurvey,
    last: Option<Destination>,
    done: oneshot::Sender<DestinationSurvey>,
}

impl Handler<DestinationStatesQuery> for Dispatchers {
    type Result = ResponseFuture<DestinationSurvey>;

    fn handle(&mut self, query: DestinationStatesQuery, context: &mut Self::Context) -> Self::Result {
        let (done, survey) = oneshot::channel();
        self.survey(SurveyProgress { query, survey: DestinationSurvey::default(), last: None, done }, context);
        Box::pin(async { survey.await.unwrap_or_default() })
    }
}

impl Dispatchers {
    fn survey(&mut self, mut progress: SurveyProgress, context: &mut Context<Self>) {
        let (now, before) = (Instant::now(), progress.survey.total);
        let mut last = None;
        for (destination, child) in after(&self.children, progress.last.as_ref()).take(READ_AT_ONCE) {
            progress.survey.destinations.push(child.queue.state(now));
            progress.survey.total += 1;
            last = Some(destination);
        }
        progress.survey.keep(progress.query.limit);
        if progress.survey.total - before < READ_AT_ONCE {
            // Whoever asked may have stopped waiting.
            let _ = progress.done.send(progress.survey);
            return;
        }
        progress.last = last.cloned();
        if !progress.done.is_closed() {
            Self::in_next_round(context, |own, context| own.survey(progress, context));
        }
    }
}
