//! A `forebayd`, and the command line that changes it.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;
use testkit::link::{Link, RECEIVING_INTERFACE};
use testkit::program;

/// A port that receives what comes over a [`Link`].
pub(super) fn linked_port() -> String {
    port(&format!("net_af_packet0,iface={RECEIVING_INTERFACE},blocksz=65536,framesz=2048,framecnt=16384"))
}

/// A port that receives nothing.
pub(super) fn silent_port() -> String {
    port("net_null0,no-rx=1")
}

fn port(device: &str) -> String {
    format!("\n[[port]]\nname = \"trunk\"\nmode = \"trunk\"\ndevice = \"{device}\"\n")
}

/// Writes a small appliance's configuration, with these tables.
pub(super) fn configure(folder: &Path, tables: &str) {
    const SMALL: &str = "[dataplane]\ntenants_max = 256\nhugepages = \"off\"\nmemory_mib = 512\ninbox_packets = 4096\n\
        [events]\nfile = \"eve.json\"\n[api]\nsocket = \"run/forebay.sock\"\n[inspection]\ncache = \"cache\"\n";
    std::fs::write(folder.join("forebay.toml"), SMALL.to_owned() + tables).unwrap();
}

/// A number that the environment may make larger than a quick test wants it.
pub(super) fn scale(variable: &str, quick: usize) -> usize {
    std::env::var(variable).map_or(quick, |number| number.parse().unwrap())
}

/// How long it may take until something is so.
const AT_MOST: Duration = Duration::from_secs(60);

/// Waits until `value` gives something.
pub(super) fn wait_for<T>(what: &str, mut value: impl FnMut() -> Option<T>) -> T {
    let until = Instant::now() + AT_MOST;
    loop {
        if let Some(value) = value() {
            return value;
        }
        assert!(Instant::now() < until, "in vain: {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// The daemon; killed if it is still there when the value goes away.
pub(super) struct Daemon {
    child: Child,
    folder: PathBuf,
    /// What commands are given as whose.
    token: Option<String>,
}

impl Daemon {
    /// Starts it in `folder` at the receiving end of a link, with what [`configure`] wrote for that.
    pub(super) fn start_on(link: &Link, folder: &Path) -> Self {
        Self::run_daemon(link.in_receiving(program("forebayd").to_str().unwrap()), folder)
    }

    /// Starts it in `folder`, with what [`configure`] wrote.
    pub(super) fn start(folder: &Path) -> Self {
        Self::run_daemon(Command::new(program("forebayd")), folder)
    }

    /// Runs it, and waits until it answers.
    fn run_daemon(mut command: Command, folder: &Path) -> Self {
        let log = std::fs::File::create(folder.join("daemon.log")).unwrap();
        command.args(["--config", "forebay.toml", "--state", "state"]).current_dir(folder);
        let child = command.stderr(log).stdout(Stdio::null()).spawn().unwrap();
        let mut daemon = Self { child, folder: folder.to_owned(), token: None };
        wait_for("the daemon answers", || {
            assert!(daemon.child.try_wait().unwrap().is_none(), "it ended: {}", daemon.log());
            daemon.run(&["status"]).status.success().then_some(())
        });
        daemon
    }

    /// Ends it at once, as a power cut would.
    pub(super) fn kill(&self) {
        signal(&self.child, "-KILL");
    }

    /// Waits until it is gone.
    pub(super) fn wait(&mut self) {
        self.child.wait().unwrap();
    }

    /// Memory that it has in its hands, in bytes.
    pub(super) fn resident_bytes(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
        line.trim().strip_suffix(" kB").unwrap().parse::<u64>().unwrap() * 1024
    }

    /// What it has said.
    pub(super) fn log(&self) -> String {
        std::fs::read_to_string(self.folder.join("daemon.log")).unwrap()
    }

    /// Runs `forebay` with these arguments.
    pub(super) fn run(&self, arguments: &[&str]) -> Output {
        let mut command = Command::new(program("forebay"));
        command.args(arguments).args(["--socket", "run/forebay.sock"]).current_dir(&self.folder);
        command.env_remove("FOREBAY_TOKEN").env_remove("FOREBAY_SOCKET");
        if let Some(token) = &self.token {
            command.env("FOREBAY_TOKEN", token);
        }
        command.output().unwrap()
    }

    /// Runs it as somebody with a token.
    pub(super) fn run_as(&mut self, token: &str, arguments: &[&str]) -> Output {
        self.token = Some(token.to_owned());
        let output = self.run(arguments);
        self.token = None;
        output
    }

    /// Runs it; it must do what it is told.
    pub(super) fn does(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }

    /// Its status.
    pub(super) fn status(&self) -> Value {
        serde_json::from_str(&self.does(&["status", "--json"])).unwrap()
    }

    /// Writes a file that commands name.
    pub(super) fn file(&self, name: &str, text: &str) {
        std::fs::write(self.folder.join(name), text).unwrap();
    }

    /// Has it end, and returns the events that it wrote.
    pub(super) fn end(mut self) -> Vec<Value> {
        terminate(&self.child);
        let status = self.child.wait().unwrap();
        assert!(status.success(), "{status}: {}", self.log());
        let events = std::fs::read_to_string(self.folder.join("eve.json")).unwrap();
        events.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        // Neither does anything to a child that has ended and was waited for.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Asks a process to end.
pub(super) fn terminate(child: &Child) {
    signal(child, "-INT");
}

fn signal(child: &Child, signal: &str) {
    let output = Command::new("kill").args([signal, &child.id().to_string()]).output().unwrap();
    assert!(output.status.success(), "{output:?}");
}
