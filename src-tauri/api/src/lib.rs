//! What the app's front end may ask of its back end, and what it is told unasked.
//!
//! [`calls`] has the one list: a line for each call, with its request, its answer and what answers it. From it come the type that is read
//! from the front end, the dispatcher, and `ui/src/backend/bindings.ts`. A host (the shell in a window, the bridge of the tests) hands
//! over what arrives to [`Api::dispatch`], passes on what [`Api::subscribe`] brings, and implements [`Desktop`]; it knows no call by name.
//!
//! The front end is not trusted further than its person is: what it sends is limited and checked, secrets and tokens are in no answer,
//! and whatever goes wrong in here is a [`Refusal`].

#[cfg(panic = "abort")]
compile_error!("what goes wrong in a call could not be answered with a refusal: the profile must let panics unwind");

mod api;
mod calls;
mod cluster;
mod desktop;
mod export;
mod flow;
mod joining;
mod own_node;
mod people;
mod places;
mod requests;
mod settings;
mod setup;
mod talking;
pub mod types;

#[cfg(test)]
mod typescript;

pub use api::{Api, Updates};
pub use desktop::{Desktop, Notice, TrayWords};
pub use setup::Setup;
pub use types::{Refusal, Update};
