//! What several rounds have measured.

pub(crate) const ROUNDS: usize = 5;

/// Medians, with the least and the most.
#[derive(Default)]
pub(crate) struct Table(Vec<(&'static str, Vec<f64>)>);

impl Table {
    pub(crate) fn note(&mut self, name: &'static str, value: f64) {
        match self.0.iter_mut().find(|(other, _)| *other == name) {
            Some((_, values)) => values.push(value),
            None => self.0.push((name, vec![value])),
        }
    }

    pub(crate) fn print(self) {
        for (name, mut values) in self.0 {
            values.sort_by(f64::total_cmp);
            let (first, last) = (values[0], values[values.len() - 1]);
            println!("{name:<62} {:>12.2} [{first:.2} - {last:.2}]", values[values.len() / 2]);
        }
    }
}
