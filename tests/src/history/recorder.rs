//! Writes a history, and reads it back.

use std::fmt;
use std::fs::File;
use std::io::{self, BufRead, BufReader, BufWriter, Write};
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::{Call, Event, Op, Outcome, Stream, What};

/// Where the time of a history comes from: nanoseconds since the run began.
pub type Watch = Box<dyn Fn() -> u64 + Send + Sync>;

/// Takes events down, from any thread. Clones write to the same history.
#[derive(Clone)]
pub struct Recorder {
    shared: Arc<Shared>,
}

struct Shared {
    watch: Watch,
    written: Mutex<Written>,
    numbers: AtomicU64,
}

#[derive(Default)]
struct Written {
    events: Vec<Event>,
    /// Where each event also goes at once, so that a run that dies leaves its history.
    file: Option<BufWriter<File>>,
}

impl Recorder {
    /// A history in memory.
    pub fn new(watch: Watch) -> Self {
        Self::with(watch, None)
    }

    /// A history that is also written to a file: each line at once, so that a process that is killed leaves all that it took down.
    pub fn to_file(watch: Watch, path: &Path) -> io::Result<Self> {
        Ok(Self::with(watch, Some(BufWriter::new(File::create(path)?))))
    }

    fn with(watch: Watch, file: Option<BufWriter<File>>) -> Self {
        let written = Mutex::new(Written { events: Vec::new(), file });
        Self { shared: Arc::new(Shared { watch, written, numbers: AtomicU64::new(0) }) }
    }

    /// Calls and streams have numbers from this one on. For histories of several processes that are to become one.
    pub fn numbered_from(self, first: u64) -> Self {
        self.shared.numbers.store(first, Ordering::Relaxed);
        self
    }

    /// Takes it down, as of now.
    pub fn note(&self, what: What) {
        let mut written = self.written();
        // Read with the history locked, so that times never fall from line to line.
        let event = Event { at_ns: (self.shared.watch)(), what };
        if let Some(file) = &mut written.file {
            let line = serde_json::to_string(&event).expect("an event is plain data");
            let written = writeln!(file, "{line}").and_then(|()| file.flush());
            written.expect("the history's disk has room");
        }
        written.events.push(event);
    }

    /// A call begins; its end is to be noted with [`Recorder::returned`], unless it never comes.
    pub fn invoked(&self, device: &str, call: Call) -> Op {
        let op = self.number();
        self.note(What::Invoked { op, device: device.to_owned(), call });
        op
    }

    pub fn returned(&self, op: Op, outcome: Outcome) {
        self.note(What::Returned { op, outcome });
    }

    /// A number for a stream that nobody else has.
    pub fn stream(&self) -> Stream {
        self.number()
    }

    /// All that was taken down so far.
    pub fn events(&self) -> Vec<Event> {
        self.written().events.clone()
    }

    fn number(&self) -> u64 {
        self.shared.numbers.fetch_add(1, Ordering::Relaxed)
    }

    fn written(&self) -> MutexGuard<'_, Written> {
        self.shared.written.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The events of a file.
pub fn read(path: &Path) -> io::Result<Vec<Event>> {
    let lines = BufReader::new(File::open(path)?).lines();
    lines.map(|line| serde_json::from_str(&line?).map_err(io::Error::other)).collect()
}

impl fmt::Debug for Recorder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Recorder").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::{Recorder, read};
    use crate::history::{Answer, Call, From, Message, Outcome, What};

    #[test]
    fn a_history_is_read_back_as_it_was_taken_down() {
        let folder = tempfile::tempdir().expect("there is room");
        let path = folder.path().join("history.jsonl");
        let recorder = Recorder::to_file(Box::new(|| 7), &path).expect("there is room");
        let op = recorder.invoked("a device", Call::CreateAccount { name: "alice".to_owned() });
        recorder.returned(op, Outcome::Done(Answer::Account(3)));
        let stream = recorder.stream();
        recorder.note(What::Following { stream, device: "a device".to_owned(), account: 3, from: From::After(5) });
        let (id, text) = ("m1".to_owned(), "in two\nlines".to_owned());
        recorder.note(What::Saw { stream, message: Message { id, cursor: 6, conversation: 4, from: 3, to: 3, text } });
        recorder.note(What::Healed);
        let events = read(&path).expect("it is a history");
        assert_eq!(events, recorder.events());
        assert_eq!(events.len(), 5);
    }
}
