//! A recorder of metrics whose content can be compared, in the form that Prometheus uses.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex},
};

use metrics::{
    Counter, CounterFn, Gauge, GaugeFn, Histogram, HistogramFn, Key, KeyName, Metadata, SharedString, Unit,
};

#[derive(Clone, Default)]
pub(crate) struct Numbers {
    values: Arc<Mutex<BTreeMap<String, f64>>>,
    descriptions: Arc<Mutex<BTreeSet<String>>>,
}

impl Numbers {
    /// Descriptions, values of counters and gauges, and how many values each histogram has.
    pub(crate) fn lines(&self) -> Vec<String> {
        let descriptions = self.descriptions.lock().unwrap().clone();
        let values = self.values.lock().unwrap();
        descriptions.into_iter().chain(values.iter().map(|(name, value)| format!("{name} {value}"))).collect()
    }

    fn describe(&self, name: &KeyName, text: &SharedString) {
        self.descriptions.lock().unwrap().insert(format!("# HELP {} {text}", name.as_str()));
    }

    fn value(&self, key: &Key, suffix: &str) -> Arc<Value> {
        let labels: Vec<_> =
            key.labels().map(|label| format!("{}={:?}", label.key(), label.value())).collect();
        let labels = if labels.is_empty() { String::new() } else { format!("{{{}}}", labels.join(",")) };
        Arc::new(Value { name: format!("{}{suffix}{labels}", key.name()), numbers: self.clone() })
    }
}

impl metrics::Recorder for Numbers {
    fn describe_counter(&self, name: KeyName, _: Option<Unit>, text: SharedString) {
        self.describe(&name, &text);
    }

    fn describe_gauge(&self, name: KeyName, _: Option<Unit>, text: SharedString) {
        self.describe(&name, &text);
    }

    fn describe_histogram(&self, name: KeyName, _: Option<Unit>, text: SharedString) {
        self.describe(&name, &text);
    }

    fn register_counter(&self, key: &Key, _: &Metadata<'_>) -> Counter {
        Counter::from_arc(self.value(key, ""))
    }

    fn register_gauge(&self, key: &Key, _: &Metadata<'_>) -> Gauge {
        Gauge::from_arc(self.value(key, ""))
    }

    fn register_histogram(&self, key: &Key, _: &Metadata<'_>) -> Histogram {
        Histogram::from_arc(self.value(key, "_count"))
    }
}

struct Value {
    name: String,
    numbers: Numbers,
}

impl Value {
    fn update(&self, change: impl FnOnce(&mut f64)) {
        change(self.numbers.values.lock().unwrap().entry(self.name.clone()).or_default());
    }
}

impl CounterFn for Value {
    fn increment(&self, by: u64) {
        self.update(|value| *value += by as f64);
    }

    fn absolute(&self, now: u64) {
        self.update(|value| *value = now as f64);
    }
}

impl GaugeFn for Value {
    fn increment(&self, by: f64) {
        self.update(|value| *value += by);
    }

    fn decrement(&self, by: f64) {
        self.update(|value| *value -= by);
    }

    fn set(&self, now: f64) {
        self.update(|value| *value = now);
    }
}

impl HistogramFn for Value {
    fn record(&self, _: f64) {
        self.update(|count| *count += 1.0);
    }
}
