//! Wildcards in names: `*` any run of characters, `?` any one.

/// Whether the whole text matches. Goes back to the last `*` only, so it takes at most as long as both
/// lengths multiplied, whatever the pattern.
pub(super) fn matches(pattern: &str, text: &str) -> bool {
    let (pattern, text): (Vec<char>, Vec<char>) = (pattern.chars().collect(), text.chars().collect());
    let (mut p, mut t) = (0, 0);
    // The last star, and how far the text was when it was met.
    let mut star: Option<(usize, usize)> = None;
    while t < text.len() {
        match pattern.get(p) {
            Some('*') => {
                star = Some((p, t));
                p += 1;
            }
            Some(c) if *c == '?' || *c == text[t] => (p, t) = (p + 1, t + 1),
            _ => {
                let Some((at, from)) = star else { return false };
                star = Some((at, from + 1));
                (p, t) = (at + 1, from + 1);
            }
        }
    }
    pattern[p..].iter().all(|c| *c == '*')
}

#[cfg(test)]
mod tests {
    use super::matches;

    #[test]
    fn a_pattern_matches_the_whole_name() {
        for (pattern, name) in [
            ("", ""),
            ("*", ""),
            ("*", "bob"),
            ("b*", "bob"),
            ("*b", "bob"),
            ("b?b", "bob"),
            ("*o*b*", "bob"),
            ("??", "李雷"),
        ] {
            assert!(matches(pattern, name), "{pattern:?} {name:?}");
        }
        for (pattern, name) in [("", "bob"), ("?", ""), ("b", "bob"), ("b*x", "bob"), ("????", "bob"), ("bob?", "bob")]
        {
            assert!(!matches(pattern, name), "{pattern:?} {name:?}");
        }
    }

    #[test]
    fn no_pattern_takes_for_ever() {
        assert!(!matches(&"*a".repeat(5_000), &"a".repeat(4_999)));
    }
}
