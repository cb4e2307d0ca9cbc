//! Medians with their ranges, as Markdown.

#[derive(Clone, Debug, Default)]
pub(crate) struct Samples(Vec<f64>);

impl Samples {
    pub(crate) fn push(&mut self, sample: f64) {
        self.0.push(sample);
    }

    /// Divides sample by sample, in the same round.
    pub(crate) fn ratios(&self, to: &Self) -> Self {
        Self(self.0.iter().zip(&to.0).map(|(of, to)| of / to).collect())
    }

    pub(crate) fn median(&self) -> f64 {
        let sorted = self.sorted();
        let middle = sorted.len() / 2;
        if sorted.len().is_multiple_of(2) {
            (sorted[middle - 1] + sorted[middle]) / 2.0
        } else {
            sorted[middle]
        }
    }

    /// The median with minimum and maximum.
    pub(crate) fn show(&self, decimals: usize) -> String {
        let sorted = self.sorted();
        let (least, most) = (sorted[0], sorted[sorted.len() - 1]);
        format!("{:.decimals$} ({least:.decimals$} – {most:.decimals$})", self.median())
    }

    fn sorted(&self) -> Vec<f64> {
        let mut sorted = self.0.clone();
        sorted.sort_unstable_by(f64::total_cmp);
        sorted
    }
}

pub(crate) fn print(columns: &[&str], rows: impl IntoIterator<Item = Vec<String>>) {
    println!("\n| {} |\n|{}", columns.join(" | "), "---|".repeat(columns.len()));
    for row in rows {
        println!("| {} |", row.join(" | "));
    }
    println!();
}
