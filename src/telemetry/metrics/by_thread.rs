//! Metrics for which each thread counts in numbers of its own. Only that thread writes them, with a plain load and store,
//! where a number that threads share takes an atomic instruction each time. They are summed when they are read. The
//! numbers of a thread that has ended stay.

use std::fmt;
use std::marker::PhantomData;
use std::rc::Rc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use prometheus::Registry;
use prometheus::core::{Collector, Desc};
use prometheus::proto::{Bucket, Counter, Gauge, Histogram, LabelPair, Metric as Sample, MetricFamily, MetricType};

use super::kind::{Label, Metric, registered};

/// The upper bounds of a histogram, in microseconds: from a tenth of a millisecond, about the time of a handover, to the
/// usual deadline of an attempt.
const BOUNDS_US: [u64; 16] = [
    100, 250, 500, 1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 500_000, 1_000_000, 2_500_000,
    5_000_000, 10_000_000,
];

/// What the numbers of a metric mean.
pub trait NumberKind: fmt::Debug + Clone + Send + Sync + 'static {
    /// How many there are.
    const NUMBERS: usize;
    /// What the metrics library calls it.
    const TYPE: MetricType;

    /// The sums, as they are shown.
    fn samples(sums: &[u64]) -> Vec<Sample>;
}

/// A counter for each value of a label. All are there, at zero, from the start.
#[derive(Debug, Clone)]
pub struct CountOf<L>(PhantomData<L>);

/// One counter.
#[derive(Debug, Clone)]
pub struct Total;

/// A number that rises and falls.
#[derive(Debug, Clone)]
pub struct Level;

/// A histogram of durations: how many fell between each bound and the one before it, how many above the last, and the sum
/// of all in microseconds. (Nanoseconds would fill a number within a day of two hundred thousand deliveries that wait.)
#[derive(Debug, Clone)]
pub struct Durations;

/// A metric that some threads count.
#[derive(Debug, Clone)]
pub struct ByThread<K> {
    desc: Desc,
    threads: Arc<Mutex<Vec<Arc<[AtomicU64]>>>>,
    kind: PhantomData<K>,
}

/// The numbers of one thread. They can't leave it.
#[derive(Debug)]
pub struct OwnNumbers<K> {
    numbers: Arc<[AtomicU64]>,
    kind: PhantomData<(K, Rc<()>)>,
}

impl<K: NumberKind> ByThread<K> {
    /// For the thread that calls it.
    pub fn own(&self) -> OwnNumbers<K> {
        let numbers: Arc<[AtomicU64]> = std::iter::repeat_with(AtomicU64::default).take(K::NUMBERS).collect();
        self.threads.lock().unwrap_or_else(PoisonError::into_inner).push(Arc::clone(&numbers));
        OwnNumbers { numbers, kind: PhantomData }
    }

    fn sums(&self) -> Vec<u64> {
        let mut sums = vec![0_u64; K::NUMBERS];
        for numbers in &*self.threads.lock().unwrap_or_else(PoisonError::into_inner) {
            for (sum, number) in sums.iter_mut().zip(&**numbers) {
                *sum = sum.wrapping_add(number.load(Ordering::Relaxed));
            }
        }
        sums
    }
}

impl<K: NumberKind> OwnNumbers<K> {
    fn add(&self, at: usize, more: u64) {
        let number = &self.numbers[at];
        number.store(number.load(Ordering::Relaxed).wrapping_add(more), Ordering::Relaxed);
    }
}

impl<L: Label> ByThread<CountOf<L>> {
    /// The value of one counter.
    pub fn get(&self, label: L) -> u64 {
        self.sums()[label.index()]
    }
}

impl ByThread<Total> {
    /// Its value.
    pub fn get(&self) -> u64 {
        self.sums()[0]
    }
}

impl ByThread<Level> {
    /// Its value.
    pub fn get(&self) -> i64 {
        self.sums()[0].cast_signed()
    }
}

impl<L: Label> OwnNumbers<CountOf<L>> {
    /// Adds one to one counter.
    pub fn inc(&self, label: L) {
        self.add(label.index(), 1);
    }
}

impl OwnNumbers<Total> {
    /// Adds a number.
    pub fn inc_by(&self, number: usize) {
        self.add(0, number as u64);
    }
}

impl OwnNumbers<Level> {
    /// Raises it.
    pub fn rise(&self, by: usize) {
        self.add(0, by as u64);
    }

    /// Lowers it.
    pub fn fall(&self, by: usize) {
        self.add(0, (by as u64).wrapping_neg());
    }
}

impl OwnNumbers<Durations> {
    /// Adds a duration.
    pub fn observe(&self, duration: Duration) {
        let nanos = u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX);
        self.add(BOUNDS_US.partition_point(|bound| bound * 1_000 < nanos), 1);
        self.add(BOUNDS_US.len() + 1, nanos.saturating_add(500) / 1_000);
    }
}

impl<L: Label> NumberKind for CountOf<L> {
    const NUMBERS: usize = L::ALL.len();
    const TYPE: MetricType = MetricType::COUNTER;

    fn samples(sums: &[u64]) -> Vec<Sample> {
        let sample = |(label, sum): (&L, &u64)| {
            let (mut pair, mut counter) = (LabelPair::default(), Counter::default());
            pair.set_name(L::NAME.to_owned());
            pair.set_value(label.word().to_owned());
            counter.set_value(*sum as f64);
            let mut sample = Sample::from_label(vec![pair]);
            sample.set_counter(counter);
            sample
        };
        L::ALL.iter().zip(sums).map(sample).collect()
    }
}

impl NumberKind for Total {
    const NUMBERS: usize = 1;
    const TYPE: MetricType = MetricType::COUNTER;

    fn samples(sums: &[u64]) -> Vec<Sample> {
        let mut counter = Counter::default();
        counter.set_value(sums[0] as f64);
        let mut sample = Sample::default();
        sample.set_counter(counter);
        vec![sample]
    }
}

impl NumberKind for Level {
    const NUMBERS: usize = 1;
    const TYPE: MetricType = MetricType::GAUGE;

    fn samples(sums: &[u64]) -> Vec<Sample> {
        let mut gauge = Gauge::default();
        gauge.set_value(sums[0].cast_signed() as f64);
        vec![Sample::from_gauge(gauge)]
    }
}

impl NumberKind for Durations {
    const NUMBERS: usize = BOUNDS_US.len() + 2;
    const TYPE: MetricType = MetricType::HISTOGRAM;

    fn samples(sums: &[u64]) -> Vec<Sample> {
        let (mut histogram, mut below) = (Histogram::default(), 0);
        let bucket = |(bound, number): (&u64, &u64)| {
            below += number;
            let mut bucket = Bucket::default();
            bucket.set_upper_bound(*bound as f64 / 1e6);
            bucket.set_cumulative_count(below);
            bucket
        };
        histogram.set_bucket(BOUNDS_US.iter().zip(sums).map(bucket).collect());
        histogram.set_sample_count(below + sums[BOUNDS_US.len()]);
        histogram.set_sample_sum(sums[BOUNDS_US.len() + 1] as f64 / 1e6);
        let mut sample = Sample::default();
        sample.set_histogram(histogram);
        vec![sample]
    }
}

impl<K: NumberKind> Collector for ByThread<K> {
    fn desc(&self) -> Vec<&Desc> {
        vec![&self.desc]
    }

    fn collect(&self) -> Vec<MetricFamily> {
        let mut family = MetricFamily::default();
        family.set_name(self.desc.fq_name.clone());
        family.set_help(self.desc.help.clone());
        family.set_field_type(K::TYPE);
        family.set_metric(K::samples(&self.sums()));
        vec![family]
    }
}

impl<K: NumberKind> Metric for ByThread<K> {
    fn register(registry: &Registry, name: &str, help: &str) -> Self {
        let desc = Desc::new(name.to_owned(), help.to_owned(), Vec::new(), std::collections::HashMap::default());
        registered(registry, desc.map(|desc| Self { desc, threads: Arc::default(), kind: PhantomData }))
    }
}
