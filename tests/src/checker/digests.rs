//! I12: nodes that have applied the same have the same state, byte for byte.

use std::collections::HashMap;

use super::run::{Line, Run};
use super::{Invariant, Report};
use crate::history::{Place, What};

pub(super) fn check(run: &Run<'_>, report: &mut Report) {
    let mut first: HashMap<Place, (Line, &str, &str)> = HashMap::new();
    for (line, event) in run.events.iter().enumerate() {
        let What::Digest { node, index, digest } = &event.what else { continue };
        let (earlier, other, expected) = *first.entry(*index).or_insert((line, node, digest));
        if expected != digest {
            let what = format!("at {index} node {node} has the digest {digest}, and node {other} {expected}");
            report.add(Invariant::I12, &[earlier, line], what);
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::checker::Invariant::I12;
    use crate::checker::town::Town;

    #[test]
    fn digests_that_differ_are_caught() {
        let mut town = Town::new();
        town.digest("n1", 5, "a").digest("n2", 5, "a").digest("n1", 6, "b");
        town.clone().is_clean();
        town.digest("n2", 6, "a").breaks(&[I12]);
    }
}
