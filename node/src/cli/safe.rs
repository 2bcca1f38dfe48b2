//! Text from other people, made harmless for a terminal.
//!
//! A message may hold escape sequences that repaint the screen, carriage returns that overwrite what
//! stands there, and bidi controls that make a line read as another. None of them reaches the
//! terminal: each is shown as a visible stand-in. JSON output needs none of this; it stays exact.

use std::borrow::Cow;
use std::fmt::Write;

/// The text on one line, every control made visible.
pub(super) fn line(text: &str) -> Cow<'_, str> {
    if !text.chars().any(is_harmful) {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(text.len() + 8);
    for c in text.chars() {
        show(c, &mut shown);
    }
    Cow::Owned(shown)
}

fn show(c: char, shown: &mut String) {
    match c {
        '\n' => shown.push('⏎'),
        '\t' => shown.push(' '),
        // The control pictures: ␀ for NUL, ␛ for escape, and so on.
        '\0'..='\u{1f}' => shown.push(char::from_u32(0x2400 + c as u32).unwrap_or('\u{fffd}')),
        '\u{7f}' => shown.push('␡'),
        c if is_harmful(c) => {
            // Writing to a string cannot fail.
            let _ = write!(shown, "<U+{:04X}>", c as u32);
        }
        c => shown.push(c),
    }
}

/// Controls (C0, C1, delete), separators that break lines, and what reorders or hides text.
fn is_harmful(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{2028}' | '\u{2029}'
            | '\u{061c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}'
            | '\u{fff9}'..='\u{fffb}' | '\u{feff}' | '\u{e0000}'..='\u{e007f}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ordinary_text_is_shown_as_it_is() {
        for text in ["", "hello", "grüße, 世界 👩‍👩‍👧 مرحبا", "a -> b: c | d"] {
            assert!(matches!(line(text), Cow::Borrowed(same) if same == text), "{text}");
        }
    }

    #[test]
    fn nothing_that_a_terminal_obeys_gets_through() {
        let table = [
            ("two\nlines", "two⏎lines"),
            ("\x1b[2Jgone", "␛[2Jgone"),
            ("over\rwrite", "over␍write"),
            ("a\x08b\x07", "a␈b␇"),
            ("\u{9b}31m", "<U+009B>31m"),
            ("\x7f", "␡"),
            ("admin\u{202e}gpj", "admin<U+202E>gpj"),
            ("\u{2066}x\u{2069}", "<U+2066>x<U+2069>"),
            ("x\u{2028}y", "x<U+2028>y"),
            ("tab\there", "tab here"),
        ];
        for (text, shown) in table {
            assert_eq!(line(text), shown);
        }
    }

    proptest::proptest! {
        #[test]
        fn whatever_is_shown_is_harmless(text in "\\PC*|.*|[\\x00-\\xa0\u{2000}-\u{2070}]*") {
            proptest::prop_assert!(!line(&text).chars().any(is_harmful));
        }
    }
}
