//! What a word is, and what is looked for.

use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::canonical_combining_class;
use unicode_segmentation::UnicodeSegmentation;

/// What a query may have: more says nothing that fewer do not, and each costs a look into the index.
const QUERY_WORDS_MAX: usize = 32;

/// The words of a text in their order, without regard to case, accents and width. Words are what Unicode's Standard Annex 29
/// takes for them, parted further at anything that is neither letter nor digit, so that the parts of `example.com` are found;
/// where it knows no words, as in Chinese, each character is one.
pub(super) fn words(text: &str) -> Vec<String> {
    // The same, in a tenth of the time: no such letter has another form.
    if text.is_ascii() { words_of_ascii(text) } else { words_of_any(text) }
}

fn words_of_ascii(text: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut rest = text;
    while let Some(begin) = rest.bytes().position(|byte| byte.is_ascii_alphanumeric()) {
        rest = &rest[begin..];
        let end = rest.bytes().position(|byte| !byte.is_ascii_alphanumeric()).unwrap_or(rest.len());
        words.push(rest[..end].to_ascii_lowercase());
        rest = &rest[end..];
    }
    words
}

fn words_of_any(text: &str) -> Vec<String> {
    let plain: String = text.nfkd().filter(|c| !is_accent(*c)).nfc().collect();
    let folded = caseless::default_case_fold_str(&plain);
    // The marks that are no accents belong to the letter before them.
    let ends = |c: char| !c.is_alphanumeric() && canonical_combining_class(c) == 0;
    let parts = folded.unicode_words().flat_map(|word| word.split(ends));
    parts.filter(|part| !part.is_empty()).map(str::to_owned).collect()
}

/// Marks that people leave out, or type on some days: accents, and the vowels of Hebrew and Arabic. Not those that make another letter of one:
/// nukta, the voicing of kana, virama (combining classes 7 to 9).
fn is_accent(c: char) -> bool {
    !matches!(canonical_combining_class(c), 0 | 7..=9)
}

/// What is looked for: all of its phrases. What is typed without a space between, or in double quotes, is a phrase: its
/// words stand one after the other. The last word may go on, unless it is in quotes: it may be still being typed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Query {
    phrases: Vec<Vec<String>>,
    /// Whether the last word of the last phrase may go on.
    open: bool,
}

/// Why a query is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum QueryError {
    #[error("There is no word in what is looked for.")]
    NoWord,
    #[error("At most {QUERY_WORDS_MAX} words can be looked for at once.")]
    TooManyWords,
}

impl Query {
    pub fn parse(text: &str) -> Result<Self, QueryError> {
        let mut phrases = Vec::new();
        let mut open = false;
        for (place, part) in text.split('"').enumerate() {
            let quoted = place % 2 == 1;
            let pieces = if quoted { vec![part] } else { part.split_whitespace().collect() };
            for phrase in pieces.into_iter().map(words).filter(|phrase| !phrase.is_empty()) {
                phrases.push(phrase);
                open = !quoted;
            }
        }
        match phrases.iter().map(Vec::len).sum::<usize>() {
            0 => Err(QueryError::NoWord),
            1..=QUERY_WORDS_MAX => Ok(Self { phrases, open }),
            _ => Err(QueryError::TooManyWords),
        }
    }

    /// The words that must be there whole, each once.
    pub(super) fn whole(&self) -> Vec<&str> {
        let mut whole: Vec<&str> = self.phrases.iter().flatten().map(String::as_str).collect();
        if self.open {
            whole.pop();
        }
        whole.sort_unstable();
        whole.dedup();
        whole
    }

    /// What a word must begin with.
    pub(super) fn beginning(&self) -> Option<&str> {
        self.phrases.last()?.last().map(String::as_str).filter(|_| self.open)
    }

    /// Whether it is all there. The index knows only which words are.
    pub(in crate::app) fn matches(&self, text: &str) -> bool {
        if text.is_ascii() && !self.may_match(&text.to_ascii_lowercase()) {
            return false;
        }
        let words = words(text);
        let last = self.phrases.len() - 1;
        self.phrases.iter().enumerate().all(|(place, phrase)| {
            let open = self.open && place == last;
            words.windows(phrase.len()).any(|there| is_there(phrase, there, open))
        })
    }

    /// Whether such a text has the letters of every word, one after the other: most texts do not, and that is quickly seen.
    fn may_match(&self, plain_lowercase: &str) -> bool {
        self.phrases.iter().flatten().all(|word| plain_lowercase.contains(word.as_str()))
    }
}

fn is_there(phrase: &[String], there: &[String], open: bool) -> bool {
    let Some((last, before)) = phrase.split_last() else { return true };
    let Some((end, start)) = there.split_last() else { return false };
    before == start && if open { end.starts_with(last.as_str()) } else { end == last }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_told_without_case_accents_and_width() {
        assert_eq!(words("Straße, ÉCOLE & ﬁancé １２"), ["strasse", "ecole", "fiance", "12"]);
        assert_eq!(words("see https://example.com/a_b?x=1"), ["see", "https", "example", "com", "a", "b", "x", "1"]);
        assert_eq!(words("東京 です"), ["東", "京", "で", "す"]);
        assert_eq!(words("안녕하세요"), ["안녕하세요"]);
        assert_eq!(words("हिन्दी फ़िल्म"), ["हिन्दी", "फ़िल्म"]);
        assert_eq!(words("がぎ").len(), 2);
        assert_eq!(words("👍 … !"), Vec::<String>::new());
    }

    proptest::proptest! {
        #[test]
        fn plain_text_is_told_apart_as_any_text_is(text in "[ -~\\t\\n]{0,60}") {
            proptest::prop_assert_eq!(words(&text), words_of_any(&text));
        }
    }

    #[track_caller]
    fn finds(query: &str, text: &str, expected: bool) {
        assert_eq!(Query::parse(query).expect("a query").matches(text), expected, "{query} in {text}");
    }

    #[test]
    fn all_words_are_needed_in_any_order_and_the_last_may_go_on() {
        finds("lunch meet", "Meeting after lunch", true);
        finds("meet lunch", "Meeting after lunch", false);
        finds("LUNCH", "after lunch", true);
        finds("lunch dinner", "after lunch", false);
    }

    #[test]
    fn a_phrase_stands_together() {
        finds("example.com", "at example.com/x", true);
        finds("example.com", "an example by com", false);
        finds("\"after lunch\" meeting", "meeting after lunch", true);
        finds("\"lunch after\"", "meeting after lunch", false);
        finds("\"meet\"", "meeting", false);
        finds("東京", "東の京", false);
        finds("東京", "東京です", true);
    }

    #[test]
    fn what_has_no_words_or_too_many_is_no_query() {
        assert_eq!(Query::parse(" ?! \"\""), Err(QueryError::NoWord));
        assert_eq!(Query::parse(&"a ".repeat(33)), Err(QueryError::TooManyWords));
        assert!(Query::parse(&"a ".repeat(32)).is_ok());
    }
}
