//! Streams for Raft.

use std::io;

use futures::FutureExt;
use futures::future::BoxFuture;
use wire::{BoxStream, Protocol};

use super::Net;
use crate::raft::{Dialer, NodeId, Peer};

impl Dialer for Net {
    fn open(&self, id: NodeId, peer: &Peer, protocol: Protocol) -> BoxFuture<'_, io::Result<BoxStream>> {
        let peer = *peer;
        async move {
            let (stream, welcome) = Self::open(self, peer.peer, protocol).await.map_err(io::Error::other)?;
            // The key alone does not make a member: the folder may be another, with none of its votes in it.
            if welcome.node_id == Some(id) && welcome.store == Some(peer.store) {
                Ok(stream)
            } else {
                Err(io::Error::other(format!("{} answers, but not as the member {id}", peer.peer)))
            }
        }
        .boxed()
    }
}
