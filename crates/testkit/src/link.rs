//! Two network namespaces joined by a veth pair; both go away with the value.

use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};

/// The pair, silent but for what the tests send.
#[derive(Debug)]
pub struct Link {
    sending: String,
    receiving: String,
}

/// The interface in the sending namespace.
pub const SENDING_INTERFACE: &str = "fb-send";
/// The interface in the receiving namespace.
pub const RECEIVING_INTERFACE: &str = "fb-receive";

impl Link {
    /// Makes it; `None`, with a line that starts with `SKIPPED`, where that is not possible.
    pub fn new() -> Option<Self> {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let name = |end| format!("fb-{}-{}-{end}", std::process::id(), NEXT.load(Ordering::Relaxed));
        let link = Self { sending: name("s"), receiving: name("r") };
        NEXT.fetch_add(1, Ordering::Relaxed);
        // What was made before something failed goes away with `link`.
        match link.make() {
            Ok(()) => Some(link),
            Err(error) => {
                eprintln!("SKIPPED: no network namespaces ({error}); run as root with iproute2 installed");
                None
            }
        }
    }

    fn make(&self) -> Result<(), String> {
        let (sending, receiving) = (self.sending.as_str(), self.receiving.as_str());
        ip(&["netns", "add", sending])?;
        ip(&["netns", "add", receiving])?;
        for namespace in [sending, receiving] {
            // Or the kernel sends router solicitations and multicast reports of its own.
            let quiet = "for file in /proc/sys/net/ipv6/conf/*/disable_ipv6; do echo 1 > $file; done";
            ip(&["netns", "exec", namespace, "sh", "-c", quiet])?;
        }
        let ends = ["type", "veth", "peer", "name", RECEIVING_INTERFACE, "netns", receiving];
        ip(&[&["link", "add", SENDING_INTERFACE, "netns", sending], &ends[..]].concat())?;
        for (namespace, interface) in [(sending, SENDING_INTERFACE), (receiving, RECEIVING_INTERFACE)] {
            // Without ethtool they stay on, which only matters for frames that the kernel makes.
            let offloads = ["-K", interface, "rx", "off", "tx", "off", "gso", "off", "gro", "off"];
            let _ = Command::new("ip").args(["netns", "exec", namespace, "ethtool"]).args(offloads).output();
            ip(&["-n", namespace, "link", "set", interface, "up"])?;
        }
        Ok(())
    }

    /// A command that runs a program at the sending end.
    pub fn in_sending(&self, program: &str) -> Command {
        within(&self.sending, program)
    }

    /// A command that runs a program at the receiving end.
    pub fn in_receiving(&self, program: &str) -> Command {
        within(&self.receiving, program)
    }

    /// Frames that the kernel dropped on their way through the pair, because its backlog was full.
    pub fn lost(&self) -> u64 {
        let path = format!("/sys/class/net/{SENDING_INTERFACE}/statistics/tx_dropped");
        let output = self.in_sending("cat").arg(path).output().expect("`cat` runs in a namespace");
        let text = String::from_utf8_lossy(&output.stdout);
        text.trim().parse().expect("the interface has a counter of dropped frames")
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        // The pair goes with its namespaces. One that was not made cannot be removed either.
        for namespace in [&self.sending, &self.receiving] {
            let _ = Command::new("ip").args(["netns", "del", namespace]).output();
        }
    }
}

/// `ip` replaces itself by the program, so killing the child kills the program.
fn within(namespace: &str, program: &str) -> Command {
    let mut command = Command::new("ip");
    command.args(["netns", "exec", namespace, program]);
    command
}

fn ip(arguments: &[&str]) -> Result<(), String> {
    let output = Command::new("ip").args(arguments).output().map_err(|error| format!("ip: {error}"))?;
    if output.status.success() {
        return Ok(());
    }
    let stderr = String::from_utf8_lossy(&output.stderr);
    Err(format!("ip {}: {}", arguments.join(" "), stderr.trim()))
}
