//! What the disk can do: one writer, one 256-byte record, one fully synced LMDB commit, again and again.

use std::path::Path;
use std::time::{Duration, Instant};

use heed::byteorder::BigEndian;
use heed::types::{Bytes, U64};
use heed::{CommitOrAbort, EnvOpenOptions, PutFlags};

use crate::MESSAGE_SIZE_BYTES;

/// How long the baseline is taken.
const SPAN: Duration = Duration::from_secs(3);

/// Synced commits each second, in a folder on the disk that is to be compared.
#[allow(unsafe_code, reason = "opening an LMDB environment maps a file that nobody else may shorten; it is ours alone")]
pub(crate) fn commits_per_second(folder: &Path) -> f64 {
    let folder = folder.join("baseline");
    std::fs::create_dir_all(&folder).expect("the folder can be made");
    let mut options = EnvOpenOptions::new();
    options.map_size(1 << 30).max_dbs(1);
    // SAFETY: a fresh folder of this process's own.
    let env = unsafe { options.open(&folder) }.expect("the environment opens");
    let txn = env.write_txn().expect("a transaction begins");
    let created = env.create_databases_and_commit(txn, |opener, txn| {
        let database = opener.create_database::<U64<BigEndian>, Bytes>(txn, Some("baseline"))?;
        Ok::<_, heed::Error>(CommitOrAbort::<_, ()>::Commit(database))
    });
    let database = created.expect("the table can be made").unwrap_commit();
    let record = [7; MESSAGE_SIZE_BYTES];
    let started = Instant::now();
    let mut commits = 0;
    while started.elapsed() < SPAN {
        let mut txn = env.write_txn().expect("a transaction begins");
        database.put_with_flags(&mut txn, PutFlags::APPEND, &commits, &record).expect("the record fits");
        txn.commit().expect("the commit succeeds");
        commits += 1;
    }
    commits as f64 / started.elapsed().as_secs_f64()
}
