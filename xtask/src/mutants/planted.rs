//! The mistakes that are planted.

/// A mistake.
pub(super) struct Mutant {
    pub(super) name: &'static str,
    /// In a few words, what is wrong with it.
    pub(super) what: &'static str,
    /// (file, what stands there exactly once, what stands there instead)
    pub(super) edits: &'static [(&'static str, &'static str, &'static str)],
}

pub(super) const MUTANTS: &[Mutant] = &[
    Mutant {
        name: "acknowledged-before-the-sync",
        what: "entries count as stored before they are on the disk",
        edits: &[(
            "node/src/raft/log.rs",
            "        self.log.append(stored.collect(), Box::new(done));",
            "        self.log.append(stored.collect(), Box::new(|_| {}));\n        done(Ok(()));",
        )],
    },
    Mutant {
        name: "vote-not-waited-for",
        what: "a vote is told before it is on the disk",
        edits: &[(
            "node/src/raft/log.rs",
            "        self.log.put(VOTE, entry::encode_vote(*vote), Some(done));\n        match on_disk.await {",
            "        self.log.put(VOTE, entry::encode_vote(*vote), Some(done));\n        \
             drop::<oneshot::Receiver<Result<(), StoreError>>>(on_disk);\n        \
             match Ok::<Result<(), StoreError>, ()>(Ok(())) {",
        )],
    },
    Mutant {
        name: "deduplication-left-out-of-snapshots",
        what: "a node that was sent a snapshot knows of no message that it has it already",
        edits: &[(
            "node/src/app/snapshot.rs",
            "            Some(table) => Some(Ok((table, row))),",
            "            Some(table) if table == keys::PLACES || table == keys::REPLIES => None,\n            \
             Some(table) => Some(Ok((table, row))),",
        )],
    },
    Mutant {
        name: "unread-left-out-of-snapshots",
        what: "a node that was sent a snapshot has everything unread",
        edits: &[(
            "node/src/app/snapshot.rs",
            "            Some(table) => Some(Ok((table, row))),",
            "            Some(table) if table == keys::MEMBERS => None,\n            Some(table) => Some(Ok((table, row))),",
        )],
    },
    Mutant {
        name: "local-reads-sold-as-linearizable",
        what: "a node answers from what it has without asking whether that is all, and says that it did",
        edits: &[(
            "node/src/api/reads.rs",
            "    connection.context.quorum.read_barrier(FRESH_WITHIN).await.is_err()",
            "    let _ = (connection, FRESH_WITHIN);\n    false",
        )],
    },
    Mutant {
        name: "feed-goes-on-one-too-late",
        what: "a subscription begins after the place behind the one it was asked for",
        edits: &[(
            "node/src/feed.rs",
            "self.context.app.feed(account, self.listener.from, ROWS_READ_MAX)",
            "self.context.app.feed(account, Cursor(self.listener.from.0 + 1), ROWS_READ_MAX)",
        )],
    },
    Mutant {
        name: "feed-goes-on-one-too-early",
        what: "after a failover the last row comes again, and the client shows it again",
        edits: &[
            (
                "client/src/feed.rs",
                "        Push::Feed { cursor, .. } if Some(cursor) <= *seen => return None,",
                "        Push::Feed { cursor, .. } if Some(cursor) < *seen => return None,",
            ),
            (
                "client/src/feed.rs",
                "        link.subscribe(*seen).await",
                "        link.subscribe(seen.map(|seen| Cursor(seen.0.saturating_sub(1)))).await",
            ),
        ],
    },
    Mutant {
        name: "retries-carried-out-again",
        what: "neither its number nor its id keeps a message that is sent twice from being stored twice",
        edits: &[
            (
                "chat/src/session.rs",
                "        } else {\n            Order::Before\n        }",
                "        } else {\n            Order::Now\n        }",
            ),
            (
                "chat/src/sending.rs",
                "    if let Some(earlier) = earlier(view, sender, draft) {\n        return earlier.map(Outcome::reply);\n    }\n",
                "",
            ),
        ],
    },
    Mutant {
        name: "gaps-carried-out",
        what: "a message is stored although the one before it is not",
        edits: &[(
            "chat/src/session.rs",
            "        if self.seq == expected && self.follows == numbering.last {",
            "        if self.seq >= expected {",
        )],
    },
    Mutant {
        name: "log-purged-before-the-state-is-synced",
        what: "the log forgets what the state may lose with the power",
        edits: &[(
            "node/src/raft/machine.rs",
            "        let applied = self.app.call(|app| app.sync()).await?;",
            "        let applied = self.app.call(|app| app.applied()).await?;",
        )],
    },
    Mutant {
        name: "promise-not-written-down",
        what: "a founder that loses its power forgets what it promised",
        edits: &[(
            "node/src/formation/driver.rs",
            "                    self.write(PROMISE, promise).await?;",
            "                    let _ = promise;",
        )],
    },
];
