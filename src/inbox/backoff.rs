//! How long to wait before the next attempt.

use std::time::Duration;

/// Doubles from `base` up to `cap`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Backoff {
    pub(super) base: Duration,
    pub(super) cap: Duration,
}

impl Backoff {
    /// The delay after the `failures`th failure in a row: between half and the whole of what doubling gives, so that what failed
    /// together is not tried again together.
    pub(super) fn delay(&self, failures: u32) -> Duration {
        let doublings = failures.saturating_sub(1).min(31);
        let whole = self.base.saturating_mul(1 << doublings).min(self.cap).min(YEAR);
        whole.mul_f64(0.5 + fastrand::f64() / 2.0)
    }
}

/// Keeps what is added to a point in time within the range of a clock.
pub(super) const YEAR: Duration = Duration::from_secs(365 * 24 * 60 * 60);

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::Backoff;

    #[test]
    fn it_doubles_up_to_the_cap_and_never_waits_longer() {
        let backoff = Backoff { base: Duration::from_millis(100), cap: Duration::from_secs(60) };
        for (failures, whole) in [(1, 100), (2, 200), (3, 400), (9, 25_600), (10, 51_200), (11, 60_000)] {
            for failures in [failures, failures.max(u32::from(whole == 60_000) * u32::MAX)] {
                let delay = backoff.delay(failures).as_millis();
                assert!((whole / 2..=whole).contains(&delay), "{delay} ms after {failures}");
            }
        }
        let endless = Backoff { base: Duration::MAX, cap: Duration::MAX };
        assert!(endless.delay(u32::MAX) > Duration::from_secs(1));
    }
}
