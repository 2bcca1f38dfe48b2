//! Writes `ui/src/backend/bindings.ts`, and fails where it is stale.

use std::fmt::Write;
use std::path::Path;

use ts_rs::{Config, TS};

use crate::calls::in_typescript;
use crate::types;

const HEAD: &str = "\
// What the front end may ask of the back end, and what the back end tells unasked.
// Generated from src-tauri/api; `UPDATE_BINDINGS=1 cargo test -p app-api bindings` writes it anew.

/** A stable code, such as \"no_quorum\" or \"name_taken\". */
export type Code = string;
";

#[test]
fn the_bindings_of_the_front_end_are_those_of_this_list() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../ui/src/backend/bindings.ts");
    let current = bindings();
    if std::env::var_os("UPDATE_BINDINGS").is_some() {
        std::fs::create_dir_all(file.parent().expect("a folder")).expect("made");
        std::fs::write(&file, &current).expect("written");
    }
    let there = std::fs::read_to_string(&file).unwrap_or_default();
    let stale = "ui/src/backend/bindings.ts is stale: run `UPDATE_BINDINGS=1 cargo test -p app-api bindings`";
    assert!(there == current, "{stale}");
}

fn bindings() -> String {
    // Numbers are log indexes, counts and milliseconds: far below 2^53.
    let config = Config::new().with_large_int("number");
    let mut text = HEAD.to_owned();
    declare::<types::Refusal>(&config, &mut text);
    declare::<types::Account>(&config, &mut text);
    declare::<types::Delivery>(&config, &mut text);
    declare::<types::Message>(&config, &mut text);
    declare::<types::Conversation>(&config, &mut text);
    declare::<types::Page<types::Message>>(&config, &mut text);
    declare::<types::To>(&config, &mut text);
    declare::<types::Pending>(&config, &mut text);
    declare::<types::Draft>(&config, &mut text);
    declare::<types::Login>(&config, &mut text);
    declare::<types::NodeRole>(&config, &mut text);
    declare::<types::Node>(&config, &mut text);
    declare::<types::Cluster>(&config, &mut text);
    declare::<types::NodeSeen>(&config, &mut text);
    declare::<types::Health>(&config, &mut text);
    declare::<types::Link>(&config, &mut text);
    declare::<types::PlaceKind>(&config, &mut text);
    declare::<types::Place>(&config, &mut text);
    declare::<types::Start>(&config, &mut text);
    declare::<types::Theme>(&config, &mut text);
    declare::<types::Settings>(&config, &mut text);
    declare::<types::Holder>(&config, &mut text);
    declare::<types::Proof>(&config, &mut text);
    declare::<types::Invited>(&config, &mut text);
    declare::<types::DeletionPreview>(&config, &mut text);
    declare::<types::Deleted>(&config, &mut text);
    declare::<types::Talk>(&config, &mut text);
    declare::<types::Queued>(&config, &mut text);
    declare::<types::Exported>(&config, &mut text);
    declare::<types::Change>(&config, &mut text);
    declare::<types::Update>(&config, &mut text);
    text.push_str("\nexport interface Calls {\n");
    for [name, request, answer, docs] in in_typescript(&config) {
        if !docs.is_empty() {
            writeln!(text, "  /** {docs} */").expect("a text takes any text");
        }
        // An empty request is `{}`; ts-rs writes a type that has no value.
        let request = if request.contains("Record<") { "{}".to_owned() } else { request };
        writeln!(text, "  {name}: {{ request: {request}; answer: {answer} }};").expect("a text takes any text");
    }
    text.push_str("}\n");
    text
}

fn declare<T: TS>(config: &Config, text: &mut String) {
    let docs = T::docs().unwrap_or_default();
    write!(text, "\n{docs}export {}\n", T::decl(config)).expect("a text takes any text");
}
