//! Parameters for `unnest`: a list for each column.

use crate::inbox::store::{Claim, Failure, Outcome};

/// Claims in the order of their lanes, so that transactions that lock several lanes never wait for each other in a ring.
pub(super) struct Claims {
    lanes: Vec<[u8; 16]>,
    pub(super) epochs: Vec<i64>,
}

impl Claims {
    pub(super) fn sorted(claims: impl IntoIterator<Item = Claim>) -> Self {
        let mut claims: Vec<Claim> = claims.into_iter().collect();
        claims.sort_unstable_by_key(|claim| claim.lane);
        Self {
            lanes: claims.iter().map(|claim| claim.lane.0).collect(),
            epochs: claims.iter().map(|claim| claim.epoch).collect(),
        }
    }

    pub(super) fn lanes(&self) -> Vec<&[u8]> {
        self.lanes.iter().map(|lane| &lane[..]).collect()
    }
}

/// Something of several outcomes, with their claims.
pub(super) struct Columns<'a, T> {
    pub(super) lanes: Vec<&'a [u8]>,
    pub(super) epochs: Vec<i64>,
    pub(super) items: Vec<T>,
}

impl<'a, T> Columns<'a, T> {
    pub(super) fn of<I: IntoIterator<Item = T>>(
        outcomes: &'a [Outcome],
        items: impl Fn(&'a Outcome) -> I,
    ) -> Self {
        let mut columns = Self { lanes: Vec::new(), epochs: Vec::new(), items: Vec::new() };
        for outcome in outcomes {
            for item in items(outcome) {
                columns.lanes.push(&outcome.claim.lane.0);
                columns.epochs.push(outcome.claim.epoch);
                columns.items.push(item);
            }
        }
        columns
    }
}

/// Ids, attempts and errors.
pub(super) fn failures<'a>(items: &[&'a Failure]) -> (Vec<i64>, Vec<i32>, Vec<&'a [u8]>) {
    let attempts = |failure: &&Failure| i32::try_from(failure.attempts).unwrap_or(i32::MAX);
    (
        items.iter().map(|failure| failure.id).collect(),
        items.iter().map(attempts).collect(),
        items.iter().map(|failure| failure.error.as_bytes()).collect(),
    )
}
