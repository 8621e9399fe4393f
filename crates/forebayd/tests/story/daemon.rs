//! A `forebayd` in a namespace of its own, and the command line that changes it.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;
use testkit::link::{Link, RECEIVING_INTERFACE};
use testkit::program;

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
    /// Starts it in `folder` with this configuration, behind a description of its one port, and waits until it answers.
    pub(super) fn start(link: &Link, folder: &Path, configuration: &str) -> Self {
        let port = format!(
            "\n[[port]]\nname = \"trunk\"\nmode = \"trunk\"\ndevice = \
             \"net_af_packet0,iface={RECEIVING_INTERFACE},blocksz=65536,framesz=2048,framecnt=16384\"\n"
        );
        std::fs::write(folder.join("forebay.toml"), configuration.to_owned() + &port).unwrap();
        let log = std::fs::File::create(folder.join("daemon.log")).unwrap();
        let child = link
            .in_receiving(program("forebayd").to_str().unwrap())
            .args(["--config", "forebay.toml", "--state", "state"])
            .current_dir(folder)
            .stderr(log)
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        let mut daemon = Self { child, folder: folder.to_owned(), token: None };
        wait_for("the daemon answers", || {
            assert!(daemon.child.try_wait().unwrap().is_none(), "it ended: {}", daemon.log());
            daemon.run(&["status"]).status.success().then_some(())
        });
        daemon
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
    let output = Command::new("kill").args(["-INT", &child.id().to_string()]).output().unwrap();
    assert!(output.status.success(), "{output:?}");
}
