//! Feature `metrics`.

use std::time::Duration;

use metrics::{Unit, counter, describe_counter, describe_gauge, describe_histogram, gauge, histogram};

use super::{Counter, Gauge, Histogram, Label};
use crate::isolate::isolated;

impl Counter {
    /// Describes the number to the program's recorder, if it is installed already.
    pub(crate) fn describe(&self) {
        isolated(|| describe_counter!(self.name, self.description));
    }

    pub(crate) fn increment(&self, labels: &[Label]) {
        isolated(|| counter!(self.name, labels).increment(1));
    }
}

impl Gauge {
    pub(crate) fn describe(&self) {
        isolated(|| describe_gauge!(self.name, unit(self.name), self.description));
    }

    pub(crate) fn set(&self, value: f64) {
        isolated(|| gauge!(self.name).set(value));
    }

    pub(crate) fn add(&self, difference: f64) {
        isolated(|| gauge!(self.name).increment(difference));
    }
}

impl Histogram {
    pub(crate) fn describe(&self) {
        isolated(|| describe_histogram!(self.name, Unit::Seconds, self.description));
    }

    pub(crate) fn record(&self, duration: Duration, labels: &[Label]) {
        isolated(|| histogram!(self.name, labels).record(duration));
    }
}

fn unit(name: &str) -> Unit {
    match name.rsplit('_').next() {
        Some("seconds") => Unit::Seconds,
        Some("bytes") => Unit::Bytes,
        _ => Unit::Count,
    }
}
