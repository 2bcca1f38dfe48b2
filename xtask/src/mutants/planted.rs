//! The mistakes that are planted.

/// What has to find a mistake.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Harness {
    /// Seeds are tried one after the other.
    Simulation,
    /// So many states are tried.
    CrashStates,
}

/// A mistake.
pub(super) struct Mutant {
    pub(super) name: &'static str,
    pub(super) found_by: Harness,
    /// In a few words, what is wrong with it.
    pub(super) what: &'static str,
    /// (file, what stands there exactly once, what stands there instead)
    pub(super) edits: &'static [(&'static str, &'static str, &'static str)],
}

pub(super) const MUTANTS: &[Mutant] = &[
    Mutant {
        name: "acknowledged-before-the-sync",
        found_by: Harness::Simulation,
        what: "entries count as stored before they are on the disk",
        edits: &[(
            "node/src/raft/log.rs",
            "        self.log.append(stored, Box::new(done));",
            "        self.log.append(stored, Box::new(|_| {}));\n        done(Ok(()));",
        )],
    },
    Mutant {
        name: "vote-not-waited-for",
        found_by: Harness::Simulation,
        what: "a vote is told before it is on the disk",
        edits: &[(
            "node/src/raft/log.rs",
            "        self.log.put(VOTE, entry::encode_vote(*vote), Some(done));\n        self.told(on_disk).await",
            "        self.log.put(VOTE, entry::encode_vote(*vote), Some(done));\n        drop(on_disk);\n        Ok(())",
        )],
    },
    Mutant {
        name: "deduplication-left-out-of-snapshots",
        found_by: Harness::Simulation,
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
        found_by: Harness::Simulation,
        what: "a node that was sent a snapshot has everything unread",
        edits: &[(
            "node/src/app/snapshot.rs",
            "            Some(table) => Some(Ok((table, row))),",
            "            Some(table) if table == keys::MEMBERS => None,\n            Some(table) => Some(Ok((table, row))),",
        )],
    },
    Mutant {
        name: "local-reads-sold-as-linearizable",
        found_by: Harness::Simulation,
        what: "a node answers from what it has without asking whether that is all, and says that it did",
        edits: &[(
            "node/src/api/reads.rs",
            "    connection.context.quorum.read_barrier(FRESH_WITHIN).await.is_err()",
            "    let _ = (connection, FRESH_WITHIN);\n    false",
        )],
    },
    Mutant {
        name: "feed-goes-on-one-too-late",
        found_by: Harness::Simulation,
        what: "a subscription begins after the place behind the one it was asked for",
        edits: &[(
            "node/src/feed.rs",
            "self.context.app.feed(account, self.listener.from, ROWS_READ_MAX)",
            "self.context.app.feed(account, Cursor(self.listener.from.0 + 1), ROWS_READ_MAX)",
        )],
    },
    Mutant {
        name: "feed-goes-on-one-too-early",
        found_by: Harness::Simulation,
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
        found_by: Harness::Simulation,
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
        found_by: Harness::Simulation,
        what: "a message is stored although the one before it is not",
        edits: &[(
            "chat/src/session.rs",
            "        if self.seq == expected && self.follows == numbering.last {",
            "        if self.seq >= expected {",
        )],
    },
    Mutant {
        name: "log-purged-before-the-state-is-synced",
        found_by: Harness::Simulation,
        what: "the log forgets what the state may lose with the power",
        edits: &[(
            "node/src/raft/machine.rs",
            "        let applied = self.blocking(move || app.sync()).await?;",
            "        let applied = self.blocking(move || app.applied()).await?;",
        )],
    },
    Mutant {
        name: "promise-not-written-down",
        found_by: Harness::Simulation,
        what: "a founder that loses its power forgets what it promised",
        edits: &[(
            "node/src/formation/driver.rs",
            "                    self.write(PROMISE, promise).await?;",
            "                    let _ = promise;",
        )],
    },
    Mutant {
        name: "numbering-outside-the-transaction",
        found_by: Harness::Simulation,
        what: "how far the numbering of a session has come is written in a transaction of its own",
        edits: &[
            ("node/src/app/held.rs", "        self.sessions.write(to, |id| Key::Session(*id))?;\n", ""),
            (
                "node/src/app/held.rs",
                "    /// Writes what was changed, within the transaction that it was changed in.\n",
                "    pub(super) fn write_sessions(&mut self, to: &mut dyn Write) -> Result<(), StoreError> {\n        \
                 self.sessions.write(to, |id| Key::Session(*id))\n    }\n\n",
            ),
            (
                "node/src/app/applying.rs",
                "        self.kept.keep(held);",
                "        self.store.write(&mut |to| held.write_sessions(to))?;\n        self.kept.keep(held);",
            ),
        ],
    },
    Mutant {
        name: "times-read-where-they-are-applied",
        found_by: Harness::Simulation,
        what: "each replica takes the time of a message from its own clock",
        edits: &[(
            "node/src/app/applying.rs",
            "    let outcome = chat::apply(&view, at, command);",
            "    static BEGAN: std::sync::OnceLock<tokio::time::Instant> = std::sync::OnceLock::new();\n    \
             let mut command = command.clone();\n    \
             if let Command::Send { at, .. } = &mut command {\n        \
             let passed = BEGAN.get_or_init(tokio::time::Instant::now).elapsed().as_millis();\n        \
             *at = chat::Timestamp(1_767_225_600_000 + passed as u64);\n    }\n    \
             let outcome = chat::apply(&view, at, &command);",
        )],
    },
    Mutant {
        name: "node-ids-used-again",
        found_by: Harness::Simulation,
        what: "a node that lost its folder but for its key comes back as the member that it was",
        edits: &[
            (
                "node/src/net/gate.rs",
                "    if claimed == (Peer { peer, store }) {",
                "    let _ = store;\n    if claimed.peer == peer {",
            ),
            (
                "node/src/net/gate.rs",
                "        Some(node) if node.store != store => Err(",
                "        Some(node) if node.store != store && node.removed => Err(",
            ),
            (
                "node/src/app/roster.rs",
                "    match tables.get(Key::Peer(node.peer, node.store))? {\n        Some(id) => tables.get(Key::Node(id)),\n        None => Ok(None),\n    }",
                "    Ok(all(tables)?.into_iter().find(|known| known.peer == node.peer))",
            ),
        ],
    },
    Mutant {
        name: "other-devices-outlive-the-account",
        found_by: Harness::Simulation,
        what: "where an account is deleted, only the session that asked for it ends",
        edits: &[(
            "chat/src/deletion.rs",
            "    let sessions = view.sessions_of(id).into_iter().filter_map(|id| view.session(id));",
            "    let sessions = view.session(session).into_iter();",
        )],
    },
    Mutant {
        name: "acknowledged-a-sync-too-early",
        found_by: Harness::CrashStates,
        what: "a record of the log's journal is told of before it is on the disk",
        edits: &[(
            "node/src/store/lmdb/journal.rs",
            "self.put(changes).and_then(|()| self.file.sync_data());",
            "self.put(changes);",
        )],
    },
    Mutant {
        name: "snapshot-switch-not-atomic",
        found_by: Harness::CrashStates,
        what: "a received snapshot becomes the state before it is on the disk",
        edits: &[(
            "node/src/store/lmdb/state.rs",
            "            generation.sync()?;\n            file::sync_dir(&generation.dir)?;\n            file::sync_dir(&self.root)?;\n",
            "",
        )],
    },
];
