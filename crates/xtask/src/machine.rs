//! Traces of one machine: registry hosts, proxies and folders that mean nothing to whoever clones the repository.
//!
//! What to look for is not written here: it is read at run time from the machine that the check runs on, where a
//! copied log line or a copied path would have come from.

use std::collections::BTreeSet;
use std::env;
use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};

use crate::Finding;
use crate::tree::Tree;

/// Top folders that every Linux system has; naming them gives nothing away.
const EVERYWHERE: &[&str] = &[
    "bin", "boot", "dev", "etc", "home", "lib", "media", "mnt", "opt", "proc", "root", "run", "sbin", "srv",
    "sys", "tmp", "usr", "var",
];

/// Cargo writes this into every lock file, whichever mirror it fetched from.
const CRATES_IO: &str = "registry+https://github.com/rust-lang/crates.io-index";

/// What would give a machine away.
#[derive(Clone, Debug, Default)]
pub struct Traces {
    hosts: BTreeSet<String>,
    folders: BTreeSet<String>,
}

impl Traces {
    /// Adds the hosts of the addresses in a configuration text; lines that are comments do not count.
    pub fn add_hosts_of(&mut self, configuration: &str) {
        for line in configuration.lines().filter(|line| !line.trim_start().starts_with(['#', '/'])) {
            self.hosts.extend(hosts(line));
        }
    }

    /// Adds a folder, unless every machine has it.
    pub fn add_folder(&mut self, folder: &Path) {
        let text = folder.to_string_lossy();
        let mut parts = text.split('/').filter(|part| !part.is_empty());
        let common = match (parts.next(), parts.next()) {
            (None, _) => true,
            (Some(only), None) => EVERYWHERE.contains(&only),
            _ => false,
        };
        if folder.is_absolute() && !common {
            self.folders.insert(text.trim_end_matches('/').to_owned());
        }
    }

    /// What apt, cargo and the environment of this machine say, for a repository at `root`.
    pub fn of_this_machine(root: &Path) -> Self {
        let mut traces = Self::default();
        traces.add_apt(Path::new("/etc/apt"));
        traces.add_cargo(root);
        for (name, value) in env::vars() {
            let name = name.to_ascii_uppercase();
            if name.ends_with("_PROXY")
                || name.starts_with("CARGO_REGISTR")
                || name.starts_with("CARGO_SOURCE")
            {
                traces.add_hosts_of(&value);
            }
        }
        traces.add_folder(root);
        if let Some(parent) = root.parent() {
            traces.add_folder(parent);
        }
        for folder in [env::temp_dir()].into_iter().chain(env::var_os("HOME").map(PathBuf::from)) {
            traces.add_folder(&folder);
        }
        traces
    }

    fn add_apt(&mut self, folder: &Path) {
        self.add_hosts_of(&read(&folder.join("sources.list")));
        for source in entries(&folder.join("sources.list.d")) {
            self.add_hosts_of(&read(&source));
        }
        for setting in entries(&folder.join("apt.conf.d")).into_iter().chain([folder.join("apt.conf")]) {
            for line in read(&setting).lines().filter(|line| line.to_ascii_lowercase().contains("proxy")) {
                self.add_hosts_of(line);
            }
        }
    }

    fn add_cargo(&mut self, root: &Path) {
        let home = env::var_os("CARGO_HOME")
            .map(PathBuf::from)
            .or_else(|| env::var_os("HOME").map(|home| Path::new(&home).join(".cargo")));
        if let Some(home) = home {
            self.add_folder(&home);
            self.add_cargo_config(&home);
        }
        for folder in root.ancestors() {
            self.add_cargo_config(&folder.join(".cargo"));
        }
    }

    fn add_cargo_config(&mut self, folder: &Path) {
        for name in ["config.toml", "config"] {
            self.add_hosts_of(&read(&folder.join(name)));
        }
    }
}

/// Finds lines that name one of the hosts or folders.
pub fn check(tree: &Tree, traces: &Traces) -> Vec<Finding> {
    let mut findings = Vec::new();
    for file in &tree.files {
        for (number, line) in file.lines().filter(|(_, line)| !line.contains(CRATES_IO)) {
            let host = traces.hosts.iter().find(|host| stands_alone(line, host, is_host_byte));
            let folder = traces.folders.iter().find(|folder| stands_alone(line, folder, is_path_byte));
            let problem = match (host, folder) {
                (Some(host), _) => format!("names the registry host {host}; name the package instead"),
                (None, Some(folder)) => format!("names this machine's folder {folder}; use a relative path"),
                (None, None) => continue,
            };
            findings.push(Finding { check: "machine", place: format!("{}:{number}", file.path), problem });
        }
    }
    findings
}

/// The hosts of the `scheme://user@host:port/` addresses in one line, except this machine's own loopback.
fn hosts(line: &str) -> impl Iterator<Item = String> + '_ {
    let authorities =
        line.split("://").skip(1).filter_map(|rest| rest.split(['/', '"', '\'', ' ', ';', '?']).next());
    authorities.filter_map(|authority| {
        let host = authority.rsplit('@').next()?.split(':').next()?;
        let host = host.trim().to_ascii_lowercase();
        (host.contains('.') && !host.starts_with("127.")).then_some(host)
    })
}

/// Whether `needle` occurs in `line` without a byte before it that `continues` it; behind it, a byte that continues a
/// name means another name.
fn stands_alone(line: &str, needle: &str, continues: fn(u8) -> bool) -> bool {
    line.match_indices(needle).any(|(start, _)| {
        let before = line.as_bytes().get(..start).and_then(<[u8]>::last);
        let after = line.as_bytes().get(start + needle.len());
        !before.is_some_and(|&byte| continues(byte)) && !after.is_some_and(|&byte| is_name_byte(byte))
    })
}

fn is_name_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_'
}

fn is_host_byte(byte: u8) -> bool {
    is_name_byte(byte) || byte == b'.'
}

fn is_path_byte(byte: u8) -> bool {
    is_name_byte(byte) || matches!(byte, b'.' | b'/' | b'}' | b')')
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_default()
}

fn entries(folder: &Path) -> Vec<PathBuf> {
    let listed = fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path());
    // apt leaves files such as `.save` and `.dpkg-old` alone; so does this.
    listed
        .filter(|path| !matches!(path.extension().and_then(OsStr::to_str), Some("save" | "dpkg-old")))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn traces(configuration: &str, folders: &[&str]) -> Traces {
        let mut traces = Traces::default();
        traces.add_hosts_of(configuration);
        for folder in folders {
            traces.add_folder(Path::new(folder));
        }
        traces
    }

    fn found(traces: &Traces, text: &str) -> usize {
        check(&Tree::from_pairs(&[("guide/a.md", text)]), traces).len()
    }

    #[test]
    fn hosts_come_from_both_styles_of_apt_and_from_cargo() {
        let text = "deb [signed-by=/usr/x.gpg] http://mirror.example.net/debian stable main\n\
                    # deb http://comment.example.net/debian stable main\n\
                    URIs: https://user:secret@Deb.Example.Org:8080/debian\n\
                    index = \"sparse+https://crates.example.org/index/\"\n\
                    Acquire::http::Proxy \"http://127.0.0.1:3142\";\n";
        let hosts: Vec<String> = traces(text, &[]).hosts.into_iter().collect();
        assert_eq!(hosts, ["crates.example.org", "deb.example.org", "mirror.example.net"]);
    }

    #[test]
    fn a_host_is_found_whole_only() {
        let traces = traces("deb http://mirror.example.net/debian x", &[]);
        assert_eq!(found(&traces, "from mirror.example.net.\n"), 1);
        assert_eq!(found(&traces, "http://mirror.example.net/debian\n"), 1);
        assert_eq!(
            found(&traces, "other-mirror.example.net, my.mirror.example.net, mirror.example.network\n"),
            0
        );
    }

    #[test]
    fn a_folder_is_found_as_an_absolute_path_only() {
        let traces = traces("", &["/build/forebay", "/build"]);
        assert_eq!(found(&traces, "cd /build/forebay && make\n"), 1);
        assert_eq!(found(&traces, "\"/build/other\"\n"), 1);
        assert_eq!(found(&traces, "target/build/forebay ./build $dir/build ${dir}/build /builder\n"), 0);
    }

    #[test]
    fn folders_that_every_machine_has_are_no_trace() {
        assert_eq!(
            found(&traces("", &["/", "/root", "/tmp", "relative/path"]), "/root/x /tmp/y relative/path\n"),
            0
        );
    }

    #[test]
    fn the_line_that_cargo_writes_into_every_lock_file_is_no_trace() {
        let traces = traces("index = \"https://github.com/x/y\"", &[]);
        assert_eq!(found(&traces, &format!("source = \"{CRATES_IO}\"\n")), 0);
        assert_eq!(found(&traces, "source = \"registry+https://github.com/x/y\"\n"), 1);
    }

    #[test]
    fn this_machine_gives_its_own_repository_folder_away() {
        let traces = Traces::of_this_machine(Path::new("/somewhere/forebay"));
        assert_eq!(found(&traces, "see /somewhere/forebay/docs\n"), 1);
    }
}
