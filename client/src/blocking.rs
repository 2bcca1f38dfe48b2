//! The profile is a file: whoever reads or writes it must not hold up the runtime.

use std::sync::Arc;

use wire::Code;
use wire::blocking::beside_the_runtime;

use crate::ClientError;
use crate::profile::Profile;

/// Does something with the profile where blocking is allowed.
pub(crate) async fn off_the_runtime<T: Send + 'static>(
    profile: &Arc<Profile>,
    work: impl FnOnce(&Profile) -> Result<T, ClientError> + Send + 'static,
) -> Result<T, ClientError> {
    let profile = profile.clone();
    let done = beside_the_runtime(move || work(&profile)).await;
    done.unwrap_or_else(|_| Err(ClientError::new(Code::ShuttingDown, "The program is stopping.")))
}
