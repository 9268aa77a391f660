//! The kinds of metrics, and the macro that defines a subject's metrics: each is written once, with its name, its
//! help text (the field's documentation) and its kind.

use std::fmt;

use prometheus::core::Collector;
use prometheus::{Gauge, IntCounter, IntCounterVec, IntGauge, Opts, Registry};

/// A metric that can be registered under a name.
pub(super) trait Metric: Sized {
    fn register(registry: &Registry, name: &str, help: &str) -> Self;
}

/// A label whose values are fixed words, so their number is bounded and none contains a customer's data.
pub trait Label: fmt::Debug + Copy + Send + Sync + 'static {
    /// The label's name.
    const NAME: &'static str;
    /// All values. The position of each is its [`Self::index`].
    const ALL: &'static [Self];

    /// The value's word. Stable.
    fn word(self) -> &'static str;

    /// The value's position in [`Self::ALL`].
    fn index(self) -> usize;
}

/// A counter for each value of a label. All exist, at zero, from the start, so that rates can be computed before the
/// first event.
#[derive(Debug)]
pub struct CounterBy<L> {
    counters: Vec<IntCounter>,
    label: std::marker::PhantomData<L>,
}

impl<L: Label> CounterBy<L> {
    /// Adds a number to one counter.
    pub fn inc_by(&self, label: L, number: usize) {
        self.counters[label.index()].inc_by(number as u64);
    }

    /// Adds one to one counter.
    pub fn inc(&self, label: L) {
        self.inc_by(label, 1);
    }

    /// The value of one counter.
    pub fn get(&self, label: L) -> u64 {
        self.counters[label.index()].get()
    }
}

impl<L: Label> Metric for CounterBy<L> {
    fn register(registry: &Registry, name: &str, help: &str) -> Self {
        let family = counters(registry, name, help, L::NAME);
        let counters = L::ALL.iter().map(|label| family.with_label_values(&[label.word()])).collect();
        Self { counters, label: std::marker::PhantomData }
    }
}

impl Metric for IntCounter {
    fn register(registry: &Registry, name: &str, help: &str) -> Self {
        registered(registry, Self::new(name, help))
    }
}

impl Metric for IntGauge {
    fn register(registry: &Registry, name: &str, help: &str) -> Self {
        registered(registry, Self::new(name, help))
    }
}

impl Metric for Gauge {
    fn register(registry: &Registry, name: &str, help: &str) -> Self {
        registered(registry, Self::new(name, help))
    }
}

/// A family of counters with one label.
pub(super) fn counters(registry: &Registry, name: &str, help: &str, label: &str) -> IntCounterVec {
    registered(registry, IntCounterVec::new(Opts::new(name, help), &[label]))
}

/// Registers a metric that could be made.
pub(super) fn registered<C: Collector + Clone + 'static>(registry: &Registry, made: prometheus::Result<C>) -> C {
    let metric = made.expect("every name and label is valid; a test makes them all");
    registry.register(Box::new(metric.clone())).expect("no name is given twice; a test makes them all");
    metric
}

/// Defines the metrics of one subject. The documentation of a field is the metric's help text.
macro_rules! subject {
    ($(#[doc = $about:literal])+ pub struct $subject:ident {
        $($(#[doc = $help:literal])+ pub $field:ident: $kind:ty = $name:literal,)+
    }) => {
        $(#[doc = $about])+
        #[derive(Debug)]
        pub struct $subject {
            $($(#[doc = $help])+ pub $field: $kind,)+
        }

        impl $subject {
            pub(super) fn register(registry: &prometheus::Registry) -> Self {
                Self { $($field: super::kind::Metric::register(registry, $name, concat!($($help),+).trim()),)+ }
            }
        }
    };
}

/// Makes an enum of words a label of this name.
macro_rules! label {
    ($label:ty, $name:literal) => {
        impl super::kind::Label for $label {
            const NAME: &'static str = $name;
            const ALL: &'static [Self] = &Self::ALL;

            fn word(self) -> &'static str {
                self.as_str()
            }

            fn index(self) -> usize {
                self as usize
            }
        }
    };
}

pub(super) use {label, subject};
