//! One attempt to connect: a stream, the hello, and whether it is the cluster that the profile is pinned to.

use std::sync::Arc;
use std::time::Duration;

use wire::hello::{self, HelloError, Identity, Keys, Welcome};
use wire::secret::OperatorKey;
use wire::{BoxStream, Code, PeerId, Protocol, Refusal, Target, Transport};

use crate::blocking::off_the_runtime;
use crate::failover::Candidate;
use crate::profile::Profile;

/// How long one attempt may take, hello included.
const DIAL_MAX: Duration = Duration::from_secs(4);

/// An attempt's end.
pub(crate) struct Dialled {
    pub(crate) candidate: Candidate,
    pub(crate) result: Result<(PeerId, Welcome, BoxStream), NotThere>,
}

/// Why an attempt came to nothing.
pub(crate) struct NotThere {
    pub(crate) refusal: Refusal,
    /// Somebody answered, but not for us.
    pub(crate) refused: bool,
}

/// Tries a candidate.
pub(crate) async fn dial(
    candidate: Candidate,
    target: Target,
    transport: Arc<dyn Transport>,
    profile: Arc<Profile>,
    operator: Option<OperatorKey>,
) -> Dialled {
    let attempt = connect(transport, profile, operator, target);
    let result = match tokio::time::timeout(DIAL_MAX, attempt).await {
        Ok(result) => result,
        Err(_) => Err(NotThere::silent("it did not answer in time")),
    };
    Dialled { candidate, result }
}

/// Whether it was said by someone who was given the proof of the right secret: not by any stranger on the network.
pub(crate) fn says_something_of_us(code: Code) -> bool {
    matches!(code, Code::WrongCluster | Code::NotFounded)
}

impl NotThere {
    fn silent(why: &str) -> Self {
        let refusal = Refusal::new(Code::NoNode, format!("No node could be reached: {why}."));
        Self { refusal, refused: false }
    }
}

impl From<HelloError> for NotThere {
    fn from(error: HelloError) -> Self {
        let refusal = error.refusal();
        let refused = matches!(
            refusal.code,
            Code::WrongSecret | Code::WrongCluster | Code::NotAMember | Code::VersionUnknown | Code::Forbidden
        );
        Self { refusal, refused }
    }
}

async fn connect(
    transport: Arc<dyn Transport>,
    profile: Arc<Profile>,
    operator: Option<OperatorKey>,
    target: Target,
) -> Result<(PeerId, Welcome, BoxStream), NotThere> {
    let opened = transport.open(target, Protocol::Client).await;
    let (peer, mut stream) = opened.map_err(|error| NotThere::silent(&error.to_string()))?;
    let identity = identity(&profile, operator).await?;
    let welcome = hello::initiate(&mut stream, transport.local(), peer, Protocol::Client, &identity).await?;
    check_founding(&profile, &welcome).await?;
    Ok((peer, welcome, stream))
}

async fn identity(profile: &Arc<Profile>, operator: Option<OperatorKey>) -> Result<Identity, NotThere> {
    let pinned = off_the_runtime(profile, |profile| profile.incarnation()).await;
    let incarnation = pinned.map_err(|error| NotThere { refusal: error.refusal, refused: false })?;
    let cluster = profile.cluster();
    Ok(Identity {
        keys: Keys::Client { cluster: cluster.id, secret: cluster.secret.clone(), operator },
        incarnation,
        store: None,
        node_id: None,
        name: String::new(),
    })
}

/// The first founding that is met is the one trusted from then on.
async fn check_founding(profile: &Arc<Profile>, welcome: &Welcome) -> Result<(), NotThere> {
    let Some(met) = welcome.incarnation else {
        let forming = format!("The node {} waits for others: the cluster is not founded yet.", welcome.node);
        return Err(NotThere { refusal: Refusal::new(Code::NotFounded, forming), refused: false });
    };
    let pinned = off_the_runtime(profile, move |profile| profile.pin_incarnation(met)).await;
    match pinned {
        Ok(true) => Ok(()),
        Ok(false) => {
            let other = "The cluster was founded anew since this profile last saw it; nothing was sent to it.";
            Err(NotThere { refusal: Refusal::new(Code::WrongCluster, other), refused: true })
        }
        Err(error) => Err(NotThere { refusal: error.refusal, refused: false }),
    }
}
