//! A folder to run commands in, and traffic made up for them.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

/// A folder to run in, so that paths in messages are short and nothing is left behind.
pub(crate) struct Place(pub(crate) tempfile::TempDir);

impl Place {
    pub(crate) fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    pub(crate) fn file(&self, name: &str, bytes: impl AsRef<[u8]>) -> &Self {
        fs::write(self.path(name), bytes).unwrap();
        self
    }

    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_forebay"));
        command.args(arguments).current_dir(self.0.path()).stdin(Stdio::null()).env_remove("COLUMNS");
        command
    }

    pub(crate) fn run(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().unwrap()
    }

    /// Runs a command that must say no with exactly these lines, and leave no new file behind.
    pub(crate) fn refused(&self, arguments: &[&str], lines: &[&str]) {
        let before = names(self.0.path());
        let output = self.run(arguments);
        assert_eq!(text(&output.stderr).lines().collect::<Vec<_>>(), lines, "{arguments:?}");
        assert_eq!(output.status.code(), Some(1), "{arguments:?}");
        assert_eq!(text(&output.stdout), "", "{arguments:?}");
        assert_eq!(names(self.0.path()), before, "{arguments:?}");
    }
}

pub(crate) fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

pub(crate) fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

/// A UDP datagram from 10.0.0.`host` to 10.0.1.1:53, in VLAN `vlan` if it is not 0.
pub(crate) fn datagram(vlan: u16, host: u8, answer: bool) -> Vec<u8> {
    let mut frame = vec![2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2];
    if vlan != 0 {
        frame.extend([0x81, 0]);
        frame.extend(vlan.to_be_bytes());
    }
    frame.extend([8, 0]);
    frame.extend([0x45, 0, 0, 32, 0, 1, 0, 0, 64, 17, 0, 0]);
    let (client, server) = ([10, 0, 0, host], [10, 0, 1, 1]);
    let (client_port, server_port) = (4000_u16.to_be_bytes(), 53_u16.to_be_bytes());
    if answer {
        frame.extend([server, client].concat());
        frame.extend([server_port, client_port].concat());
    } else {
        frame.extend([client, server].concat());
        frame.extend([client_port, server_port].concat());
    }
    frame.extend([0, 12, 0, 0, b'd', b'a', b't', b'a']);
    frame
}

pub(crate) fn pcap(frames: &[Vec<u8>]) -> Vec<u8> {
    let mut bytes: Vec<u8> =
        [0xa1b2_c3d4_u32, 0x0004_0002, 0, 0, 65_535, 1].iter().flat_map(|word| word.to_le_bytes()).collect();
    for (number, frame) in (0_u32..).zip(frames) {
        for word in [1_700_000_000 + number, 0, frame.len() as u32, frame.len() as u32] {
            bytes.extend(word.to_le_bytes());
        }
        bytes.extend(frame);
    }
    bytes
}

/// Two tenants' questions and answers, one VLAN of nobody, one ARP-like frame of nobody's protocol.
pub(crate) fn trace() -> Vec<u8> {
    let mut other = datagram(101, 9, false);
    other[16..18].copy_from_slice(&[0x88, 0xcc]);
    pcap(&[
        datagram(101, 1, false),
        datagram(101, 1, true),
        datagram(102, 1, false),
        datagram(102, 2, false),
        datagram(300, 1, false),
        other,
    ])
}

pub(crate) const TENANTS: &str = "\
[[tenant]]
name = \"bank-east\"
vlans = [101]
default_verdict = \"pipeline full\"

[[tenant]]
name = \"bank-west\"
vlans = [\"102-109\"]

[[pipeline]]
name = \"full\"
inspectors = [\"checksum\"]

[[steer]]
name = \"second-host\"
source = \"10.0.0.2\"
verdict = \"shunt\"
";
