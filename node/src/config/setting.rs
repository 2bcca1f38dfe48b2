//! The settings there are.

macro_rules! settings {
    ($($(#[$doc:meta])* $name:ident = $key:literal, default $default:expr;)*) => {
        /// A setting, by the name it has as a flag, in the environment and in a file.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        pub enum Setting { $($(#[$doc])* $name,)* }

        impl Setting {
            /// Every setting there is.
            pub const ALL: &'static [Self] = &[$(Self::$name),*];

            /// Its key in a file.
            pub fn key(self) -> &'static str {
                match self { $(Self::$name => $key,)* }
            }

            /// What it is when nobody sets it, as text.
            pub fn default_text(self) -> Option<&'static str> {
                match self { $(Self::$name => $default,)* }
            }
        }
    };
}

settings! {
    // Of the daemon.
    Name = "name", default None;
    DataDir = "data_dir", default None;
    Listen = "listen", default None;
    Peer = "peer", default None;
    Expect = "expect", default Some("3");
    LogFormat = "log_format", default Some("text");
    HeartbeatMs = "heartbeat_ms", default None;
    ElectionMinMs = "election_min_ms", default None;
    ElectionMaxMs = "election_max_ms", default None;
    SnapshotAfterEntries = "snapshot_after_entries", default None;
    KeepLogEntries = "keep_log_entries", default None;
    PromoteAfterMs = "promote_after_ms", default None;
    MaxStateMib = "max_state_mib", default None;
    // Of both.
    Mdns = "mdns", default Some("true");
    Join = "join", default None;
    // Of the client.
    Node = "node", default None;
    As = "as", default None;
    PasswordFile = "password_file", default None;
    Format = "format", default Some("text");
    Timeout = "timeout", default Some("10s");
}

impl Setting {
    /// The setting of that key.
    pub fn of_key(key: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|setting| setting.key() == key)
    }

    /// Its variable in the environment.
    pub fn variable(self) -> String {
        format!("FIVE9S_{}", self.key().to_uppercase())
    }

    /// Its flag.
    pub fn flag(self) -> String {
        format!("--{}", self.key().replace('_', "-"))
    }

    /// Whether it may be given several times: as an array in a file, with commas in the environment.
    pub fn is_list(self) -> bool {
        matches!(self, Self::Listen | Self::Peer | Self::Node)
    }

    /// Whether its value lets somebody in, and so is never shown.
    pub fn is_secret(self) -> bool {
        self == Self::Join
    }
}
