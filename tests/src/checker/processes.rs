//! I14: what processes say that none should say, and what they use.

use std::collections::BTreeMap;

use super::run::{Line, Run};
use super::{Invariant, Limits, Report};
use crate::history::What;

/// With fewer samples a quarter of them is one or none, which tells nothing of a slope.
const SAMPLES_MIN: usize = 8;

#[derive(Clone, Copy)]
struct Sample {
    line: Line,
    memory_bytes: u64,
    files: u64,
}

pub(super) fn check(run: &Run<'_>, limits: &Limits, report: &mut Report) {
    let mut samples: BTreeMap<&str, Vec<Sample>> = BTreeMap::new();
    for (line, event) in run.events.iter().enumerate() {
        match &event.what {
            What::Complained { process, line: said } => {
                report.add(Invariant::I14, &[line], format!("{process} said: {said}"));
            }
            What::Used { process, memory_bytes, files } => {
                let sample = Sample { line, memory_bytes: *memory_bytes, files: *files };
                samples.entry(process).or_default().push(sample);
            }
            _ => {}
        }
    }
    for (process, samples) in samples.iter().filter(|(_, samples)| samples.len() >= SAMPLES_MIN) {
        let lines = [samples[0].line, samples[samples.len() - 1].line];
        let memory = growth(samples, |sample| sample.memory_bytes);
        if memory > limits.memory_growth_bytes {
            report.add(Invariant::I14, &lines, format!("the memory of {process} grew by {memory} bytes"));
        }
        let files = growth(samples, |sample| sample.files);
        if files > limits.files_growth {
            report.add(Invariant::I14, &lines, format!("{process} has {files} more files open"));
        }
    }
}

/// From the mean of the first quarter to the mean of the last; none where it fell.
fn growth(samples: &[Sample], of: impl Fn(&Sample) -> u64) -> u64 {
    let quarter = samples.len() / 4;
    let sum = |samples: &[Sample]| samples.iter().map(&of).fold(0, u64::saturating_add);
    sum(&samples[samples.len() - quarter..]).saturating_sub(sum(&samples[..quarter])) / quarter as u64
}

#[cfg(test)]
mod tests {
    use crate::checker::Invariant::I14;
    use crate::checker::town::Town;

    #[test]
    fn a_complaint_is_caught() {
        Town::new().complained("n1", "panicked at the disk").breaks(&[I14]);
    }

    #[test]
    fn growth_is_caught_where_there_is_enough_to_see_it() {
        let grown = |samples: u64, by: u64, files: u64| {
            let mut town = Town::new();
            for sample in 0..samples {
                town.used("n1", 1_000_000 + sample * by, 20 + sample * files);
            }
            town
        };
        grown(16, 1_000_000, 0).is_clean();
        grown(16, 16 << 20, 0).breaks(&[I14]);
        grown(16, 0, 10).breaks(&[I14]);
        grown(7, 16 << 20, 0).is_clean();
    }
}
