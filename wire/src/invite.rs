//! The codes that let another machine join.

use std::fmt;
use std::str::FromStr;

use crate::secret::{ClientSecret, ClusterId, NodeSecret};
use crate::{Address, Refusal};

/// What a code carries.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Invite {
    pub cluster: ClusterId,
    /// Where nodes were when the code was made.
    pub addresses: Vec<Address>,
    pub grant: Grant,
}

/// What the code makes of its user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Grant {
    Node(NodeSecret),
    Client(ClientSecret),
}

impl fmt::Display for Invite {
    fn fmt(&self, _f: &mut fmt::Formatter<'_>) -> fmt::Result {
        todo!()
    }
}

impl FromStr for Invite {
    type Err = Refusal;

    /// Refuses with `Code::CodeInvalid`.
    fn from_str(_text: &str) -> Result<Self, Refusal> {
        todo!()
    }
}
