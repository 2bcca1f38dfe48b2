//! What people may type: names and texts.

use chat::{NAME_LENGTH_MAX, Name, NameError, NameKey, TEXT_SIZE_MAX_BYTES, Text, TextError};

#[test]
fn names_of_any_script_are_names() {
    for typed in ["bob", "B.o-b_1", "Zoë", "नमस्ते", "李雷", "Ωmega", "7"] {
        assert_eq!(Name::parse(typed).unwrap().as_str(), typed);
    }
}

#[test]
fn a_name_is_refused_rather_than_mended() {
    assert_eq!(Name::parse(""), Err(NameError::Empty));
    assert_eq!(Name::parse(" bob"), Err(NameError::Character(' ')));
    assert_eq!(Name::parse("bob\n"), Err(NameError::Character('\n')));
    assert_eq!(Name::parse("a->b"), Err(NameError::Character('>')));
    assert_eq!(Name::parse("\u{308}e"), Err(NameError::Character('\u{308}')));
    assert_eq!(Name::parse("a\u{202e}b"), Err(NameError::Character('\u{202e}')));
    assert_eq!(Name::parse("server"), Err(NameError::Reserved));
}

#[test]
fn the_longest_name_is_counted_in_characters() {
    assert!(Name::parse(&"é".repeat(NAME_LENGTH_MAX)).is_ok());
    assert!(Name::parse(&"e\u{301}".repeat(NAME_LENGTH_MAX)).is_ok());
    assert_eq!(Name::parse(&"a".repeat(33)), Err(NameError::TooLong(33)));
}

#[test]
fn a_name_keeps_its_case_and_loses_its_composition() {
    let name = Name::parse("Zoe\u{308}").unwrap();
    assert_eq!(name.as_str(), "Zoë");
    assert_eq!(name.key(), &NameKey::fold("ZOË"));
    assert_eq!(NameKey::fold("STRASSE"), NameKey::fold("straße"));
}

#[test]
fn ascii_is_folded_like_the_rest() {
    for plain in (0..128).map(char::from) {
        let among_others = NameKey::fold(&format!("é{plain}"));
        assert_eq!(among_others.as_str(), format!("é{}", NameKey::fold(&plain.to_string()).as_str()));
    }
}

#[test]
fn a_text_is_any_text_but_a_blank_one() {
    assert_eq!(Text::parse(" a\n\0 ").unwrap().as_str(), " a\n\0 ");
    assert_eq!(Text::parse(""), Err(TextError::Empty));
    assert_eq!(Text::parse(" \n\t"), Err(TextError::Empty));
}

#[test]
fn a_text_that_is_too_long_is_refused_and_never_cut() {
    assert!(Text::parse("a".repeat(TEXT_SIZE_MAX_BYTES)).is_ok());
    let size = TEXT_SIZE_MAX_BYTES + 1;
    assert_eq!(Text::parse("a".repeat(size)), Err(TextError::TooLong(size)));
}
