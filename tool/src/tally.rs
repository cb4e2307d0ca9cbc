//! What became of many deliveries.

use std::{collections::BTreeMap, time::Duration};

use serde_json::{Value, json};

use crate::{
    client::{Answer, Lost, SENDERS_TIMEOUT},
    output::{Colour, Output},
    remedy,
};

#[derive(Debug, Default)]
pub(crate) struct Tally {
    accepted: u64,
    /// By `ErrorCode`, or by status where there is none.
    refused: BTreeMap<String, u64>,
    lost: BTreeMap<String, u64>,
    late: u64,
    /// In microseconds.
    latencies: Vec<u32>,
}

impl Tally {
    /// Counts an answer. `took` is counted from when the delivery was due, so that a receiver that holds up the sender is not
    /// measured as faster than it is.
    pub(crate) fn count(&mut self, answer: &Result<Answer, Lost>, took: Duration) {
        match answer {
            Err(lost) => return *self.lost.entry(lost.to_string()).or_default() += 1,
            Ok(answer) if answer.is_accepted() => self.accepted += 1,
            Ok(answer) => {
                let status = || format!("status {}", answer.status.as_u16());
                let key = answer.error_code().map_or_else(status, |code| code.to_string());
                *self.refused.entry(key).or_default() += 1;
            }
        }
        self.late += u64::from(took > SENDERS_TIMEOUT);
        self.latencies.push(u32::try_from(took.as_micros()).unwrap_or(u32::MAX));
    }

    pub(crate) fn sent(&self) -> u64 {
        self.accepted + self.refused.values().sum::<u64>() + self.lost.values().sum::<u64>()
    }

    pub(crate) fn all_accepted(&self) -> bool {
        self.accepted == self.sent()
    }

    pub(crate) fn print(&mut self, took: Duration, interrupted: bool, output: &Output) {
        self.latencies.sort_unstable();
        let lost: u64 = self.lost.values().sum();
        let rate = self.sent() as f64 / took.as_secs_f64().max(1e-6);
        let [p50, p95, p99, max] = [0.50, 0.95, 0.99, 1.0].map(|share| self.percentile(share));
        if output.json {
            output.value(&json!({
                "sent": self.sent(), "accepted": self.accepted, "refused": self.refused, "lost": lost,
                "lost_because": self.lost, "late": self.late, "seconds": rounded(took.as_secs_f64()),
                "per_second": rounded(rate), "milliseconds": {"p50": p50, "p95": p95, "p99": p99, "max": max},
                "interrupted": interrupted,
            }));
            return;
        }
        let stopped = if interrupted { ", interrupted" } else { "" };
        output.line(&format!(
            "sent      {} in {:.1} s ({rate:.0} a second){stopped}",
            self.sent(),
            took.as_secs_f64()
        ));
        output.line(&format!("accepted  {}", output.paint(Colour::Green, &self.accepted.to_string())));
        for (code, count) in &self.refused {
            let remedy = code.parse().ok().and_then(remedy::of);
            let reason =
                remedy.map(|remedy| format!(" {}: {}", remedy.reason(), remedy.remedy())).unwrap_or_default();
            output.line(&format!(
                "refused   {} with {code}{reason}",
                output.paint(Colour::Red, &count.to_string())
            ));
        }
        for (why, count) in &self.lost {
            output.line(&format!("lost      {}: {why}", output.paint(Colour::Red, &count.to_string())));
        }
        if !self.latencies.is_empty() {
            output.line(&format!("latency   p50 {p50} ms, p95 {p95} ms, p99 {p99} ms, max {max} ms"));
        }
        output.line(&format!(
            "late      {} later than 2 s, when the sender of IM callbacks gives up",
            self.late
        ));
    }

    /// In milliseconds; of sorted latencies.
    fn percentile(&self, share: f64) -> Value {
        let rank = (share * self.latencies.len() as f64).ceil() as usize;
        let latency = self.latencies.get(rank.saturating_sub(1));
        latency.map_or(Value::Null, |micros| rounded(f64::from(*micros) / 1000.0).into())
    }
}

fn rounded(number: f64) -> f64 {
    (number * 100.0).round() / 100.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_nearest_ranks() {
        let mut tally =
            Tally { latencies: (1..=100).map(|millis| millis * 1000).collect(), ..Tally::default() };
        tally.latencies.sort_unstable();
        assert_eq!([0.5, 0.95, 0.99, 1.0].map(|share| tally.percentile(share)), [50.0, 95.0, 99.0, 100.0]);
        assert_eq!(Tally::default().percentile(0.5), Value::Null);
    }
}
