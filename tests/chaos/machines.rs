//! The machines of a run and the daemons on them: real processes, on a network and disks of their own.

use std::fs::{self, File};
use std::os::unix::fs::OpenOptionsExt as _;
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use tests::history::{Recorder, What};
use tests::{node_program, process};

use crate::disk::Disk;
use crate::lan;
use crate::switch::Port;

/// Exit code of a node that was removed from its cluster.
const NOT_A_MEMBER: i32 = 4;

/// Exit code of a node that cannot go on with its disk.
const DISK: i32 = 6;

/// What the system says of a disk that fails, is full, or was cut off; and what openraft says once applying has ended because of it.
const DISK_ERRORS: &[&str] = &[
    "(os error 5)",
    "(os error 28)",
    "(os error 30)",
    "applying has failed; see what the store said",
    "): channel closed",
];

/// The kernel's number for it on every kind of machine that has Linux's usual numbers.
const SIGBUS: i32 = 7;

/// How long a daemon may take to end in good order, and then some for a machine that has much else to do.
const ENDS_WITHIN: Duration = Duration::from_secs(20);

/// How long a daemon may take to notice that its disk is gone.
const DISK_NOTICED_WITHIN: Duration = Duration::from_secs(20);

/// A machine, by the order in which they came. A lost one comes back under another number, at the same place.
pub(crate) type Number = usize;

/// One machine.
pub(crate) struct Machine {
    pub(crate) number: Number,
    pub(crate) port: Port,
    folder: PathBuf,
    /// None: an ordinary folder, since this process may not have disks of its own.
    pub(crate) disk: Option<Disk>,
    child: Option<Child>,
    pub(crate) paused: bool,
    pub(crate) frozen: bool,
    /// It may end by itself: its disk is full, or gone.
    pub(crate) disk_fails: bool,
    /// It has failed before.
    disk_has_failed: bool,
    /// Until then it may end yet for what was wrong with its disk before.
    excused_until: Option<Instant>,
    is_lost: bool,
}

/// All of them.
pub(crate) struct Machines {
    home: PathBuf,
    secret: String,
    expect: usize,
    has_disks: bool,
    recorder: Recorder,
    pub(crate) machines: Vec<Machine>,
}

impl Machines {
    /// So many machines at the first ports, with a daemon starting on each.
    pub(crate) fn start(
        home: &Path,
        secret: &str,
        count: usize,
        has_disks: bool,
        recorder: Recorder,
    ) -> Result<Self, String> {
        let (home, secret) = (home.to_owned(), secret.to_owned());
        let mut all = Self { home, secret, expect: count, has_disks, recorder, machines: Vec::new() };
        for port in 0..count {
            all.add(port)?;
        }
        Ok(all)
    }

    /// A machine that was not there before.
    pub(crate) fn add(&mut self, port: Port) -> Result<Number, String> {
        let number = self.machines.len() + 1;
        let name = format!("n{number}");
        let folder = self.home.join(&name);
        let disk = if self.has_disks {
            Some(Disk::make(self.home.join(format!("{name}.img")), folder.clone())?)
        } else {
            None
        };
        self.furnish(&folder).map_err(|error| format!("{} cannot be written: {error}", folder.display()))?;
        self.machines.push(Machine {
            number,
            port,
            folder,
            disk,
            child: None,
            paused: false,
            frozen: false,
            disk_fails: false,
            disk_has_failed: false,
            excused_until: None,
            is_lost: false,
        });
        self.launch(number)?;
        Ok(number)
    }

    /// What an operator puts there before the first start: the cluster's secret, and settings with which logs are cut much sooner.
    fn furnish(&self, folder: &Path) -> std::io::Result<()> {
        use std::io::Write as _;
        fs::create_dir_all(folder.join("data"))?;
        fs::create_dir_all(folder.join("config"))?;
        let secret = folder.join("data").join("cluster-secret");
        let mut file = File::options().write(true).create(true).truncate(true).mode(0o600).open(secret)?;
        writeln!(file, "{}", self.secret)?;
        let settings = "snapshot_after_entries = 200\nkeep_log_entries = 100\npromote_after_ms = 2000\n";
        fs::write(folder.join("config").join("config.toml"), settings)?;
        rustix::fs::sync();
        Ok(())
    }

    /// Starts the daemon on a machine where none runs.
    pub(crate) fn launch(&mut self, number: Number) -> Result<(), String> {
        let log = self.log(number);
        let expect = self.expect;
        let Some(machine) = self.get(number).filter(|machine| machine.child.is_none() && !machine.is_lost) else {
            return Ok(());
        };
        let log = File::options().append(true).create(true).open(&log);
        let log = log.map_err(|error| format!("a log cannot be written: {error}"))?;
        let mut command = machine.command(expect);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log);
        let child = command.spawn().map_err(|error| format!("machine {number}: the daemon cannot be run: {error}"))?;
        machine.child = Some(child);
        Ok(())
    }

    /// kill -9.
    pub(crate) fn kill(&mut self, number: Number) {
        let Some(machine) = self.get(number) else { return };
        let Some(mut child) = machine.child.take() else { return };
        // One that has just ended is as good.
        let _ = child.kill();
        if machine.frozen {
            // It may wait for its disk, and ends once that goes on.
            machine.thaw();
        }
        let _ = child.wait();
        machine.paused = false;
    }

    /// The power of these machines fails at the same time.
    pub(crate) fn cut_power(&mut self, numbers: &[Number]) -> Result<(), String> {
        for number in numbers {
            let Some(machine) = self.get(*number) else { continue };
            machine.thaw();
            // Its daemon may notice before it is killed.
            machine.disk_fails_now();
            if let Some(disk) = &machine.disk {
                disk.cut_power().map_err(|error| format!("machine {number}: its disk cannot be cut off: {error}"))?;
            }
        }
        for number in numbers {
            self.kill(*number);
            self.restore(*number)?;
        }
        Ok(())
    }

    /// The disk is there again, as it was when it was cut off. The daemon on it has ended.
    pub(crate) fn restore(&mut self, number: Number) -> Result<(), String> {
        let Some(machine) = self.get(number) else { return Ok(()) };
        machine.disk_works();
        machine.disk.as_ref().map_or(Ok(()), Disk::restore)
    }

    /// Told to end, it has to end in good order.
    pub(crate) fn terminate(&mut self, number: Number) {
        let Some(id) = self.get(number).and_then(|machine| Some(machine.child.as_ref()?.id())) else { return };
        // One that was started a moment ago may be nothing but a program that is being loaded.
        let listens = process::listens_to_sigterm(id);
        self.signal(number, "TERM");
        let Some(mut child) = self.get(number).and_then(|machine| machine.child.take()) else { return };
        match ended(&mut child, ENDS_WITHIN) {
            Some(status) if status.success() => {}
            Some(status) if !listens && status.signal() == Some(process::SIGTERM) => {}
            Some(status) => self.complain(number, &format!("told to end, it ended with {status}")),
            None => {
                self.complain(number, "told to end, it goes on");
                let _ = child.kill();
                let _ = child.wait();
            }
        }
    }

    /// The machine is gone, with all that was on it.
    pub(crate) fn lose(&mut self, number: Number) {
        self.kill(number);
        let Some(machine) = self.get(number) else { return };
        machine.is_lost = true;
        let gone = machine.disk.take().map_or(Ok(()), |disk| disk.unmount());
        if let Err(error) = gone.and_then(|()| fs::remove_dir_all(&machine.folder).map_err(|error| error.to_string())) {
            admit(&format!("what machine {number} leaves cannot be removed: {error}"));
        }
    }

    pub(crate) fn pause(&mut self, number: Number, paused: bool) {
        self.signal(number, if paused { "STOP" } else { "CONT" });
        if let Some(machine) = self.get(number) {
            machine.paused = paused;
        }
    }

    /// Whoever starts a second daemon on the same folder is refused.
    pub(crate) fn start_twice(&mut self, number: Number) {
        let expect = self.expect;
        let Some(machine) = self.get(number) else { return };
        let ran = machine.command(expect).stdin(Stdio::null()).output();
        match ran {
            Ok(ran) if ran.status.code() == Some(DISK) => {}
            Ok(ran) => {
                self.complain(number, &format!("a second daemon on its folder: {}", ran.status));
            }
            Err(error) => self.complain(number, &format!("a second daemon cannot be run: {error}")),
        }
    }

    /// Finds those that ended by themselves.
    pub(crate) fn bury(&mut self) {
        let mut complaints = Vec::new();
        for machine in &mut self.machines {
            let Some(Ok(Some(status))) = machine.child.as_mut().map(Child::try_wait) else { continue };
            machine.child = None;
            match status.code() {
                Some(NOT_A_MEMBER) => machine.is_lost = true,
                Some(DISK) if machine.is_excused() => {}
                // What is mapped from a disk that is gone cannot be read: the kernel ends the process.
                None if status.signal() == Some(SIGBUS) && machine.is_excused() => {}
                _ => complaints.push((machine.number, format!("it ended by itself: {}", said(status)))),
            }
        }
        for (number, line) in complaints {
            self.complain(number, &line);
        }
    }

    /// Those that a daemon runs on.
    pub(crate) fn running(&self) -> Vec<Number> {
        self.machines.iter().filter(|machine| machine.child.is_some()).map(|machine| machine.number).collect()
    }

    /// Those that are there, running or not.
    pub(crate) fn all(&self) -> Vec<Number> {
        self.machines.iter().filter(|machine| !machine.is_lost).map(|machine| machine.number).collect()
    }

    pub(crate) fn get(&mut self, number: Number) -> Option<&mut Machine> {
        self.machines.iter_mut().find(|machine| machine.number == number)
    }

    pub(crate) fn port(&self, number: Number) -> Option<Port> {
        self.machines.iter().find(|machine| machine.number == number).map(|machine| machine.port)
    }

    /// The node's own folder.
    pub(crate) fn data_dir(&self, number: Number) -> PathBuf {
        self.home.join(format!("n{number}")).join("data").join(format!("n{number}"))
    }

    /// What its daemon logs.
    pub(crate) fn log(&self, number: Number) -> PathBuf {
        self.home.join(format!("n{number}.log"))
    }

    /// What the daemons use now.
    pub(crate) fn note_use(&self) {
        for machine in &self.machines {
            let Some(child) = &machine.child else { continue };
            let memory_bytes = process::memory_bytes(child.id(), "RssAnon:");
            let files = fs::read_dir(format!("/proc/{}/fd", child.id())).map(|files| files.count() as u64).ok();
            if let (Some(memory_bytes), Some(files)) = (memory_bytes, files) {
                // A life is a process: what a new one uses is not growth.
                let process = format!("n{}, process {}", machine.number, child.id());
                self.recorder.note(What::Used { process, memory_bytes, files });
            }
        }
    }

    pub(crate) fn complain(&self, number: Number, line: &str) {
        self.recorder.note(What::Complained { process: format!("n{number}"), line: line.to_owned() });
    }

    fn signal(&mut self, number: Number, signal: &str) {
        let Some(child) = self.get(number).and_then(|machine| machine.child.as_ref()) else { return };
        let id = child.id().to_string();
        // One that has just ended hears nothing.
        let _ = Command::new("kill").args([&format!("-{signal}"), &id]).stderr(Stdio::null()).status();
    }
}

impl Machine {
    fn command(&self, expect: usize) -> Command {
        let mut command = lan::at(self.port, node_program());
        for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("FIVE9S_")) {
            command.env_remove(name);
        }
        command.env("FIVE9S_HOME", &self.folder).env("RUST_LOG", "info").env("NO_COLOR", "1");
        command.args(["--name", &format!("n{}", self.number), "--expect", &expect.to_string()]);
        command.args(["--listen", &format!("/ip4/{}/tcp/12340", lan::host(self.port))]);
        command
    }

    /// Something is wrong with its disk from now on.
    pub(crate) fn disk_fails_now(&mut self) {
        self.disk_fails = true;
        self.disk_has_failed = true;
    }

    /// Whether its daemon may have logged this: its disk has failed, and that is what it says.
    pub(crate) fn may_have_logged(&self, line: &str) -> bool {
        self.disk_has_failed && DISK_ERRORS.iter().any(|error| line.contains(error))
    }

    /// Nothing is wrong with its disk any more.
    pub(crate) fn disk_works(&mut self) {
        self.disk_fails = false;
        self.excused_until = Some(Instant::now() + DISK_NOTICED_WITHIN);
    }

    fn is_excused(&self) -> bool {
        self.disk_fails || self.excused_until.is_some_and(|until| Instant::now() < until)
    }

    pub(crate) fn freeze(&mut self) -> Result<(), String> {
        let Some(disk) = self.disk.as_ref().filter(|_| !self.frozen) else { return Ok(()) };
        disk.freeze()?;
        self.frozen = true;
        Ok(())
    }

    pub(crate) fn thaw(&mut self) {
        if std::mem::take(&mut self.frozen)
            && let Some(Err(error)) = self.disk.as_ref().map(Disk::thaw)
        {
            admit(&format!("the disk of machine {} cannot be thawed: {error}", self.number));
        }
    }
}

/// What goes wrong with the harness itself.
#[expect(clippy::print_stderr, reason = "a program that people run")]
fn admit(line: &str) {
    eprintln!("chaos: {line}");
}

fn said(status: ExitStatus) -> String {
    match status.signal() {
        Some(signal) => format!("signal {signal}"),
        None => status.to_string(),
    }
}

fn ended(child: &mut Child, within: Duration) -> Option<ExitStatus> {
    let began = Instant::now();
    while began.elapsed() < within {
        if let Ok(Some(status)) = child.try_wait() {
            return Some(status);
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    None
}

impl Drop for Machines {
    fn drop(&mut self) {
        for machine in &mut self.machines {
            machine.thaw();
            if let Some(child) = &mut machine.child {
                let _ = child.kill();
                let _ = child.wait();
            }
            if let Some(disk) = machine.disk.take() {
                let _ = disk.unmount();
            }
        }
    }
}
