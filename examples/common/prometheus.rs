//! A recorder of metrics that renders Prometheus's text format. A program with more to measure takes a crate for it.

use std::{
    collections::BTreeMap,
    fmt::Write as _,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use metrics::{Counter, Gauge, Histogram, HistogramFn, Key, KeyName, Metadata, Recorder, SharedString, Unit};

/// The upper bounds of all histograms, in seconds.
const BOUNDS: [f64; 16] =
    [0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 900.0, 3600.0];

/// Clones share what is recorded.
#[derive(Clone, Default)]
pub(crate) struct Prometheus(Arc<Mutex<BTreeMap<String, Family>>>);

/// The numbers of one name, by their labels.
#[derive(Default)]
struct Family {
    help: String,
    kind: &'static str,
    series: BTreeMap<String, Number>,
}

enum Number {
    Counter(Arc<AtomicU64>),
    Gauge(Arc<AtomicU64>),
    Histogram(Arc<Buckets>),
}

#[derive(Default)]
struct Buckets(Mutex<Filled>);

#[derive(Clone, Copy, Default)]
struct Filled {
    counts: [u64; BOUNDS.len()],
    count: u64,
    sum: f64,
}

impl Prometheus {
    pub(crate) fn render(&self) -> String {
        let mut text = String::new();
        for (name, family) in &*self.families() {
            if family.series.is_empty() {
                continue;
            }
            // A `String` takes everything.
            let _ = writeln!(text, "# HELP {name} {}\n# TYPE {name} {}", family.help, family.kind);
            for (labels, number) in &family.series {
                number.render(&mut text, name, labels);
            }
        }
        text
    }

    fn families(&self) -> MutexGuard<'_, BTreeMap<String, Family>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn describe(&self, name: &KeyName, kind: &'static str, help: &SharedString) {
        let mut families = self.families();
        let family = families.entry(name.as_str().to_owned()).or_default();
        (family.help, family.kind) = (help.to_string(), kind);
    }

    fn series<T>(
        &self,
        key: &Key,
        kind: &'static str,
        new: Number,
        of: impl Fn(&Number) -> Option<T>,
    ) -> Option<T> {
        let labels: Vec<String> =
            key.labels().map(|label| format!("{}={:?}", label.key(), label.value())).collect();
        let mut families = self.families();
        let family = families.entry(key.name().to_owned()).or_default();
        family.kind = kind;
        of(family.series.entry(labels.join(",")).or_insert(new))
    }
}

impl Number {
    fn render(&self, text: &mut String, name: &str, labels: &str) {
        let braced = if labels.is_empty() { String::new() } else { format!("{{{labels}}}") };
        let _ = match self {
            Self::Counter(value) => writeln!(text, "{name}{braced} {}", value.load(Ordering::Relaxed)),
            Self::Gauge(value) => {
                writeln!(text, "{name}{braced} {}", f64::from_bits(value.load(Ordering::Relaxed)))
            }
            Self::Histogram(buckets) => {
                let filled = *buckets.0.lock().unwrap_or_else(PoisonError::into_inner);
                let comma = if labels.is_empty() { "" } else { "," };
                for (bound, count) in BOUNDS.iter().zip(filled.counts) {
                    let _ = writeln!(text, "{name}_bucket{{{labels}{comma}le=\"{bound}\"}} {count}");
                }
                let _ = writeln!(text, "{name}_bucket{{{labels}{comma}le=\"+Inf\"}} {}", filled.count);
                writeln!(text, "{name}_sum{braced} {}\n{name}_count{braced} {}", filled.sum, filled.count)
            }
        };
    }
}

impl HistogramFn for Buckets {
    fn record(&self, value: f64) {
        let mut filled = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for (count, bound) in filled.counts.iter_mut().zip(BOUNDS) {
            *count += u64::from(value <= bound);
        }
        filled.count += 1;
        filled.sum += value;
    }
}

impl Recorder for Prometheus {
    fn describe_counter(&self, name: KeyName, _: Option<Unit>, help: SharedString) {
        self.describe(&name, "counter", &help);
    }

    fn describe_gauge(&self, name: KeyName, _: Option<Unit>, help: SharedString) {
        self.describe(&name, "gauge", &help);
    }

    fn describe_histogram(&self, name: KeyName, _: Option<Unit>, help: SharedString) {
        self.describe(&name, "histogram", &help);
    }

    fn register_counter(&self, key: &Key, _: &Metadata<'_>) -> Counter {
        let value = self.series(key, "counter", Number::Counter(Arc::default()), |number| match number {
            Number::Counter(value) => Some(Arc::clone(value)),
            _ => None,
        });
        value.map_or_else(Counter::noop, Counter::from_arc)
    }

    fn register_gauge(&self, key: &Key, _: &Metadata<'_>) -> Gauge {
        let value = self.series(key, "gauge", Number::Gauge(Arc::default()), |number| match number {
            Number::Gauge(value) => Some(Arc::clone(value)),
            _ => None,
        });
        value.map_or_else(Gauge::noop, Gauge::from_arc)
    }

    fn register_histogram(&self, key: &Key, _: &Metadata<'_>) -> Histogram {
        let buckets =
            self.series(key, "histogram", Number::Histogram(Arc::default()), |number| match number {
                Number::Histogram(buckets) => Some(Arc::clone(buckets)),
                _ => None,
            });
        buckets.map_or_else(Histogram::noop, Histogram::from_arc)
    }
}
