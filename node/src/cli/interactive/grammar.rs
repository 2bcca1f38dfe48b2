//! What a typed line means. Commands are exact and case-sensitive, as they always were.

/// Before anybody is logged in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Choice {
    Create,
    LogIn,
    Quit,
    Neither,
}

impl Choice {
    pub fn parse(line: &str) -> Self {
        match line {
            "C" => Self::Create,
            "L" => Self::LogIn,
            "Q" => Self::Quit,
            _ => Self::Neither,
        }
    }
}

/// Where a username is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Username<'a> {
    Back,
    Name(&'a str),
}

impl<'a> Username<'a> {
    pub fn parse(line: &'a str) -> Self {
        if line == "!" { Self::Back } else { Self::Name(line) }
    }
}

/// Once logged in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Said<'a> {
    Nothing,
    List,
    Delete,
    Quit,
    Message {
        to: &'a str,
        text: &'a str,
    },
    /// Neither a command nor for anybody.
    Unaddressed,
}

impl<'a> Said<'a> {
    /// The text is everything after the first `->`, less one space before it; further `->` belong to it.
    pub fn parse(line: &'a str) -> Self {
        match line {
            "" => Self::Nothing,
            "LA" => Self::List,
            "DA" => Self::Delete,
            "Q" => Self::Quit,
            _ => match line.split_once("->") {
                Some((to, text)) if !to.is_empty() => {
                    Self::Message { to, text: text.strip_prefix(' ').unwrap_or(text) }
                }
                _ => Self::Unaddressed,
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message<'a>(to: &'a str, text: &'a str) -> Said<'a> {
        Said::Message { to, text }
    }

    #[test]
    fn a_line_means_what_it_always_meant() {
        let table = [
            ("", Said::Nothing),
            ("LA", Said::List),
            ("DA", Said::Delete),
            ("Q", Said::Quit),
            ("la", Said::Unaddressed),
            ("LA ", Said::Unaddressed),
            (" Q", Said::Unaddressed),
            (" ", Said::Unaddressed),
            ("hello", Said::Unaddressed),
            ("->", Said::Unaddressed),
            ("-> hi", Said::Unaddressed),
            ("bob-> hi", message("bob", "hi")),
            ("bob->hi", message("bob", "hi")),
            ("bob->  hi ", message("bob", " hi ")),
            ("bob->", message("bob", "")),
            ("bob -> hi", message("bob ", "hi")),
            ("LA-> hi", message("LA", "hi")),
        ];
        for (line, said) in table {
            assert_eq!(Said::parse(line), said, "{line:?}");
        }
    }

    #[test]
    fn nothing_after_a_second_arrow_is_lost() {
        assert_eq!(Said::parse("bob-> x->y -> z"), message("bob", "x->y -> z"));
    }

    #[test]
    fn text_may_hold_what_once_were_separators() {
        assert_eq!(Said::parse("bob-> a:b|c"), message("bob", "a:b|c"));
    }

    #[test]
    fn the_choice_is_exact() {
        assert_eq!(Choice::parse("C"), Choice::Create);
        assert_eq!(Choice::parse("L"), Choice::LogIn);
        for line in ["", "c", "l", "C ", "LA", "alice"] {
            assert_eq!(Choice::parse(line), Choice::Neither, "{line:?}");
        }
    }

    #[test]
    fn an_exclamation_mark_goes_back() {
        assert_eq!(Username::parse("!"), Username::Back);
        assert_eq!(Username::parse("!bob"), Username::Name("!bob"));
    }
}
