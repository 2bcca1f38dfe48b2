//! What a client keeps between runs, in one SQLite file: the device's key, the clusters it may talk to, the nodes it has
//! met, its sessions and, in [`crate::outbox`], the messages that wait.
//!
//! Several processes of one profile use the file at once, so every change is one transaction that reads what
//! it depends on. Nothing here waits for the network or knows the time: callers pass it in.

mod drafts;
mod sessions;
mod settings;

use std::fmt;
use std::fs;
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};

use rusqlite::{Connection, OptionalExtension, Transaction, TransactionBehavior, params};
use wire::peer::Incarnation;
use wire::secret::{ClientSecret, ClusterId};
use wire::{Address, Code, PeerId};

use crate::ClientError;

pub(crate) use drafts::take_from_draft;
pub(crate) use sessions::KeptSession;
pub(crate) use settings::{keep_settings, kept_settings};

/// The file in the profile's folder.
const FILE: &str = "profile.sqlite";

/// How long a process waits for another one of the same profile to finish its transaction.
const BUSY_MAX: std::time::Duration = std::time::Duration::from_secs(5);

/// How many nodes a cluster's memory holds. Beyond it the one not met for longest is forgotten.
const NODES_MAX: u32 = 64;

/// Each entry brings a file of the version before (its index) up to date. Only ever added to.
const MIGRATIONS: &[&str] = &[
    "
    CREATE TABLE device (only INTEGER PRIMARY KEY CHECK (only = 1), seed BLOB NOT NULL);
    CREATE TABLE cluster (
        place INTEGER PRIMARY KEY AUTOINCREMENT,
        id BLOB NOT NULL,
        secret BLOB NOT NULL,
        incarnation BLOB,
        used_at INTEGER NOT NULL
    );
    CREATE TABLE node (
        cluster INTEGER NOT NULL REFERENCES cluster,
        peer BLOB NOT NULL,
        name TEXT NOT NULL,
        addresses TEXT NOT NULL,
        met_at INTEGER NOT NULL,
        PRIMARY KEY (cluster, peer)
    ) WITHOUT ROWID;
    CREATE TABLE session (
        cluster INTEGER NOT NULL REFERENCES cluster,
        account INTEGER NOT NULL,
        name TEXT NOT NULL,
        name_key TEXT NOT NULL,
        created_at INTEGER NOT NULL,
        session INTEGER NOT NULL,
        token BLOB NOT NULL,
        verifier TEXT NOT NULL,
        export_key BLOB NOT NULL,
        next_seq INTEGER NOT NULL,
        cursor INTEGER,
        ended INTEGER NOT NULL DEFAULT 0,
        used_at INTEGER NOT NULL,
        PRIMARY KEY (cluster, account)
    ) WITHOUT ROWID;
    CREATE UNIQUE INDEX session_name ON session (cluster, name_key);
    CREATE TABLE outbox (
        cluster INTEGER NOT NULL REFERENCES cluster,
        account INTEGER NOT NULL,
        id BLOB NOT NULL,
        session INTEGER NOT NULL,
        seq INTEGER NOT NULL,
        to_name TEXT,
        to_account INTEGER,
        text TEXT NOT NULL,
        queued_at INTEGER NOT NULL,
        state INTEGER NOT NULL DEFAULT 0,
        refusal_code TEXT,
        refusal_message TEXT,
        PRIMARY KEY (cluster, account, id)
    ) WITHOUT ROWID;
    CREATE TABLE receipt (
        cluster INTEGER NOT NULL REFERENCES cluster,
        account INTEGER NOT NULL,
        conversation INTEGER NOT NULL,
        up_to INTEGER NOT NULL,
        PRIMARY KEY (cluster, account, conversation)
    ) WITHOUT ROWID;
    CREATE UNIQUE INDEX outbox_turn ON outbox (cluster, session, seq) WHERE state = 0;
    CREATE INDEX outbox_done ON outbox (cluster, account, queued_at) WHERE state != 0;
",
    "
    ALTER TABLE outbox ADD COLUMN follows BLOB;
    ALTER TABLE session ADD COLUMN last BLOB;
",
    "
    CREATE TABLE draft (
        cluster INTEGER NOT NULL REFERENCES cluster,
        account INTEGER NOT NULL,
        other INTEGER NOT NULL,
        text TEXT NOT NULL,
        PRIMARY KEY (cluster, account, other)
    ) WITHOUT ROWID;
    CREATE TABLE settings (only INTEGER PRIMARY KEY CHECK (only = 1), text TEXT NOT NULL);
",
    // Each message that is queued counts what waits, and has what was settled long ago forgotten: from an index alone.
    "
    DROP INDEX outbox_done;
    CREATE INDEX outbox_state ON outbox (cluster, account, state, queued_at);
",
];

/// An open profile, of one of its clusters.
pub(crate) struct Profile {
    connection: Mutex<Connection>,
    seed: [u8; 32],
    cluster: Pinned,
}

/// The cluster that the profile is used for.
#[derive(Clone)]
pub(crate) struct Pinned {
    /// Its row; what is kept of sessions and messages belongs to it.
    place: i64,
    pub(crate) id: ClusterId,
    pub(crate) secret: ClientSecret,
}

/// A node that was met before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct KnownNode {
    pub(crate) peer: PeerId,
    pub(crate) name: String,
    pub(crate) addresses: Vec<Address>,
}

impl Profile {
    /// Opens or makes the profile in the folder, for the cluster given, or else for the one used last. `fresh`: 32 random
    /// bytes, for the key of a device that is new.
    pub(crate) fn open(
        folder: &Path,
        access: Option<(ClusterId, ClientSecret)>,
        fresh: [u8; 32],
        now_ms: u64,
    ) -> Result<Self, ClientError> {
        make_private(folder).map_err(|error| unusable(folder, &error))?;
        let mut connection = connect(&folder.join(FILE))?;
        migrate(&mut connection)?;
        let transaction = begin(&mut connection)?;
        let seed = device_seed(&transaction, fresh)?;
        let cluster = pin(&transaction, access, now_ms)?;
        transaction.commit()?;
        Ok(Self { connection: Mutex::new(connection), seed, cluster })
    }

    /// The seed of the device's key.
    pub(crate) fn seed(&self) -> &[u8; 32] {
        &self.seed
    }

    /// The cluster it is open for.
    pub(crate) fn cluster(&self) -> &Pinned {
        &self.cluster
    }

    /// Which founding of the cluster it knows, if it has met any.
    pub(crate) fn incarnation(&self) -> Result<Option<Incarnation>, ClientError> {
        let bytes: Option<Vec<u8>> =
            self.lock().query_row("SELECT incarnation FROM cluster WHERE place = ?1", [self.cluster.place], |row| {
                row.get(0)
            })?;
        bytes.map(|bytes| fixed(bytes).map(Incarnation)).transpose()
    }

    /// Pins the founding that was met, unless one is pinned already. Answers whether it is that one.
    pub(crate) fn pin_incarnation(&self, met: Incarnation) -> Result<bool, ClientError> {
        self.lock().execute(
            "UPDATE cluster SET incarnation = ?2 WHERE place = ?1 AND incarnation IS NULL",
            params![self.cluster.place, met.0],
        )?;
        Ok(self.incarnation()? == Some(met))
    }

    /// The nodes met before, the one met last first.
    pub(crate) fn nodes(&self) -> Result<Vec<KnownNode>, ClientError> {
        let connection = self.lock();
        let mut query =
            connection.prepare("SELECT peer, name, addresses FROM node WHERE cluster = ?1 ORDER BY met_at DESC")?;
        let rows = query.query_map([self.cluster.place], |row| {
            Ok((row.get::<_, Vec<u8>>(0)?, row.get::<_, String>(1)?, row.get::<_, String>(2)?))
        })?;
        let mut nodes = Vec::new();
        for row in rows {
            let (peer, name, addresses) = row?;
            let addresses = addresses.lines().filter_map(|line| line.parse().ok()).collect();
            nodes.push(KnownNode { peer: PeerId(fixed(peer)?), name, addresses });
        }
        Ok(nodes)
    }

    /// Remembers nodes and where they are.
    pub(crate) fn remember_nodes(&self, nodes: &[KnownNode], now_ms: u64) -> Result<(), ClientError> {
        let mut connection = self.lock();
        let transaction = begin(&mut connection)?;
        for node in nodes {
            let addresses: Vec<String> = node.addresses.iter().map(Address::to_string).collect();
            transaction.execute(
                "INSERT OR REPLACE INTO node (cluster, peer, name, addresses, met_at) VALUES (?1, ?2, ?3, ?4, ?5)",
                params![self.cluster.place, node.peer.0, node.name, addresses.join("\n"), int(now_ms)],
            )?;
        }
        transaction.execute(
            "DELETE FROM node WHERE cluster = ?1 AND peer NOT IN
                 (SELECT peer FROM node WHERE cluster = ?1 ORDER BY met_at DESC LIMIT ?2)",
            params![self.cluster.place, NODES_MAX],
        )?;
        Ok(transaction.commit()?)
    }

    /// One transaction of [`crate::outbox`] or `sessions`: all of it happens, or nothing.
    pub(crate) fn change<T>(
        &self,
        change: impl FnOnce(&Transaction<'_>, i64) -> Result<T, ClientError>,
    ) -> Result<T, ClientError> {
        let mut connection = self.lock();
        let transaction = begin(&mut connection)?;
        let done = change(&transaction, self.cluster.place)?;
        transaction.commit()?;
        Ok(done)
    }

    /// Reads, with the cluster's row to look under.
    pub(crate) fn read<T>(
        &self,
        read: impl FnOnce(&Connection, i64) -> Result<T, ClientError>,
    ) -> Result<T, ClientError> {
        read(&self.lock(), self.cluster.place)
    }

    fn lock(&self) -> MutexGuard<'_, Connection> {
        // A panic inside a transaction has rolled it back, so the connection is as good as before.
        self.connection.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Profile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Profile").finish_non_exhaustive()
    }
}

/// Begins to trust whatever founding of the cluster is met next. For a person who knows that the cluster
/// used last was wiped and founded anew: what was kept for the old one stays in the file, unused.
pub(crate) fn forget_founding(folder: &Path, now_ms: u64) -> Result<(), ClientError> {
    let mut connection = connect(&folder.join(FILE))?;
    migrate(&mut connection)?;
    connection.execute(
        "INSERT INTO cluster (id, secret, used_at)
             SELECT id, secret, ?1 FROM cluster ORDER BY used_at DESC, place DESC LIMIT 1",
        [int(now_ms)],
    )?;
    Ok(())
}

/// SQLite numbers are signed; ours stay far below the sign.
pub(crate) fn int(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// Back from [`int`].
pub(crate) fn uint(number: i64) -> u64 {
    u64::try_from(number).unwrap_or(0)
}

/// Bytes that have a fixed length.
pub(crate) fn fixed<const N: usize>(bytes: Vec<u8>) -> Result<[u8; N], ClientError> {
    bytes.try_into().map_err(|_| damaged("a field has the wrong length"))
}

pub(crate) fn damaged(what: &str) -> ClientError {
    ClientError::new(Code::Damaged, format!("The profile is damaged: {what}."))
}

fn unusable(folder: &Path, error: &std::io::Error) -> ClientError {
    ClientError::new(Code::Internal, format!("The profile {} cannot be used: {error}.", folder.display()))
}

/// The folder, and the file in it, for their owner's eyes only: they hold keys.
fn make_private(folder: &Path) -> std::io::Result<()> {
    make_durable(folder)?;
    let file = folder.join(FILE);
    #[cfg(unix)]
    {
        use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
        fs::set_permissions(folder, fs::Permissions::from_mode(0o700))?;
        // Made here, before SQLite would make it with the usual mode; its journals take the mode of the file.
        fs::OpenOptions::new().create(true).append(true).mode(0o600).open(&file)?;
        fs::set_permissions(&file, fs::Permissions::from_mode(0o600))?;
    }
    #[cfg(not(unix))]
    fs::OpenOptions::new().create(true).append(true).open(&file)?;
    Ok(())
}

/// Makes the folder if there is none. SQLite syncs the names in it, and nobody the folder's own: a power cut might take it away with
/// all that is in it.
fn make_durable(folder: &Path) -> std::io::Result<()> {
    if folder.is_dir() {
        return Ok(());
    }
    let parent = folder.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    if parent != folder {
        make_durable(parent)?;
    }
    match fs::create_dir(folder) {
        // By another process of the profile.
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {}
        made => made?,
    }
    // Windows cannot open a folder as a file, and journals names by itself.
    if cfg!(windows) { Ok(()) } else { fs::File::open(parent)?.sync_all() }
}

fn connect(file: &Path) -> Result<Connection, ClientError> {
    let connection = Connection::open(file)?;
    connection.busy_timeout(BUSY_MAX)?;
    connection.pragma_update(None, "journal_mode", "WAL")?;
    // A message is promised to be on disk when `send` returns: synced, with WAL as well.
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.pragma_update(None, "foreign_keys", true)?;
    Ok(connection)
}

/// Takes the write lock at once, so that what is read inside cannot change before it is written.
fn begin(connection: &mut Connection) -> Result<Transaction<'_>, ClientError> {
    Ok(connection.transaction_with_behavior(TransactionBehavior::Immediate)?)
}

fn migrate(connection: &mut Connection) -> Result<(), ClientError> {
    let transaction = begin(connection)?;
    let version: i64 = transaction.pragma_query_value(None, "user_version", |row| row.get(0))?;
    let version = usize::try_from(version).map_err(|_| damaged("its version is negative"))?;
    if version > MIGRATIONS.len() {
        let newer = "The profile was written by a newer version of this program; use that one.";
        return Err(ClientError::new(Code::Damaged, newer));
    }
    for step in MIGRATIONS.iter().skip(version) {
        transaction.execute_batch(step)?;
    }
    transaction.pragma_update(None, "user_version", int(MIGRATIONS.len() as u64))?;
    Ok(transaction.commit()?)
}

fn device_seed(transaction: &Transaction<'_>, fresh: [u8; 32]) -> Result<[u8; 32], ClientError> {
    transaction.execute("INSERT OR IGNORE INTO device (only, seed) VALUES (1, ?1)", [fresh])?;
    fixed(transaction.query_row("SELECT seed FROM device", [], |row| row.get(0))?)
}

fn pin(
    transaction: &Transaction<'_>,
    access: Option<(ClusterId, ClientSecret)>,
    now_ms: u64,
) -> Result<Pinned, ClientError> {
    let last = match access {
        Some((id, secret)) => Some(pin_given(transaction, id, secret, now_ms)?),
        None => last_used(transaction)?,
    };
    let Some(pinned) = last else {
        let none = "This profile belongs to no cluster yet: join one with a code, --join CODE.";
        return Err(ClientError::new(Code::WrongSecret, none));
    };
    transaction.execute("UPDATE cluster SET used_at = ?2 WHERE place = ?1", params![pinned.place, int(now_ms)])?;
    Ok(pinned)
}

fn pin_given(
    transaction: &Transaction<'_>,
    id: ClusterId,
    secret: ClientSecret,
    now_ms: u64,
) -> Result<Pinned, ClientError> {
    let known: Option<i64> = transaction
        .query_row("SELECT place FROM cluster WHERE id = ?1 ORDER BY place DESC LIMIT 1", [id.0], |row| row.get(0))
        .optional()?;
    let place = match known {
        Some(place) => place,
        None => {
            transaction.execute(
                "INSERT INTO cluster (id, secret, used_at) VALUES (?1, ?2, ?3)",
                params![id.0, secret.bytes(), int(now_ms)],
            )?;
            transaction.last_insert_rowid()
        }
    };
    Ok(Pinned { place, id, secret })
}

fn last_used(transaction: &Transaction<'_>) -> Result<Option<Pinned>, ClientError> {
    let row: Option<(i64, Vec<u8>, Vec<u8>)> = transaction
        .query_row("SELECT place, id, secret FROM cluster ORDER BY used_at DESC, place DESC LIMIT 1", [], |row| {
            Ok((row.get(0)?, row.get(1)?, row.get(2)?))
        })
        .optional()?;
    row.map(|(place, id, secret)| {
        Ok(Pinned { place, id: ClusterId(fixed(id)?), secret: ClientSecret::from_bytes(fixed(secret)?) })
    })
    .transpose()
}

#[cfg(test)]
mod tests;
