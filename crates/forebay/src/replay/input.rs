//! The captures of a replay, read through once before it begins.

use std::path::{Path, PathBuf};
use std::time::SystemTime;

use tempfile::NamedTempFile;

use super::convert;
use crate::capture_info::{CaptureError, CaptureInfo, link_type_name, scan};
use crate::cli::Replay;
use crate::failure::{Failure, warn};
use crate::ui::{Progress, bytes, count};

/// The captures, and what is in them.
#[derive(Debug)]
pub(super) struct Input {
    pub(super) captures: Vec<Scanned>,
    pub(super) loops: u64,
}

/// One capture.
#[derive(Debug)]
pub(super) struct Scanned {
    pub(super) path: PathBuf,
    /// The same as Ethernet frames, if it has others, and its link type if the frames keep their own headers.
    converted: Option<(NamedTempFile, Option<u32>)>,
    pub(super) info: CaptureInfo,
    state: Option<FileState>,
}

/// What changes when somebody writes to a file: its length and the time of its last change.
type FileState = (u64, SystemTime);

impl Scanned {
    /// The file that is replayed.
    pub(super) fn frames(&self) -> &Path {
        self.converted.as_ref().map_or(&self.path, |(file, _)| file.path())
    }

    /// Whether the file is no longer the one that was read through.
    pub(super) fn has_changed(&self) -> bool {
        file_state(&self.path) != self.state
    }
}

fn file_state(path: &Path) -> Option<FileState> {
    let metadata = std::fs::metadata(path).ok()?;
    Some((metadata.len(), metadata.modified().ok()?))
}

impl Input {
    /// Reads every capture through, and refuses what cannot be replayed whole.
    pub(super) fn scan(arguments: &Replay) -> Result<Self, Failure> {
        let len_bytes = |path: &PathBuf| std::fs::metadata(path).map_or(0, |metadata| metadata.len());
        let mut progress = Progress::bytes(arguments.captures.iter().map(len_bytes).sum());
        let mut before_bytes = 0;
        let mut captures = Vec::new();
        for path in &arguments.captures {
            let state = file_state(path);
            let what = format!("reading {}", path.display());
            let mut read =
                |path: &Path| scan(path, |read_bytes| progress.bytes_done(before_bytes + read_bytes, &what));
            let mut converted = None;
            let info = match read(path) {
                Err(CaptureError::LinkType { link_type, .. }) if convert::can_convert(link_type) => {
                    let file = ethernet(path, link_type)?;
                    let info = read(file.path())?;
                    converted = Some((file, convert::kept(link_type)));
                    info
                }
                other => other?,
            };
            before_bytes += len_bytes(path);
            captures.push(Scanned { path: path.clone(), converted, info, state });
        }
        progress.finish();
        for capture in &captures {
            accept(&capture.path, &capture.info, arguments.accept_truncated)?;
        }
        Ok(Self { captures, loops: u64::from(arguments.loops) })
    }

    /// The link type of all captures, if it is one whose frames keep their own headers behind Ethernet's.
    pub(super) fn link_type(&self) -> Option<u32> {
        let mut types =
            self.captures.iter().map(|capture| capture.converted.as_ref().and_then(|(_, kept)| *kept));
        let first = types.next()??;
        types.all(|other| other == Some(first)).then_some(first)
    }

    /// Packets over all captures and loops.
    pub(super) fn packets(&self) -> u64 {
        self.captures.iter().map(|capture| capture.info.packets).sum::<u64>() * self.loops
    }

    /// Earliest and latest time of any packet, in microseconds since the Unix epoch.
    pub(super) fn times_us(&self) -> Option<(u64, u64)> {
        let times = || self.captures.iter().filter_map(|capture| capture.info.times_ns);
        let first_ns = times().map(|(first, _)| first).min()?;
        let last_ns = times().map(|(_, last)| last).max()?;
        Some((first_ns / 1000, last_ns / 1000))
    }

    /// What is replayed, in one phrase.
    pub(super) fn name(&self) -> String {
        match self.captures.as_slice() {
            [one] => one
                .path
                .file_name()
                .map_or_else(|| one.path.display().to_string(), |name| Path::new(name).display().to_string()),
            many => format!("{} captures", count(many.len() as u64)),
        }
    }
}

/// The capture with Ethernet headers.
fn ethernet(path: &Path, link_type: u32) -> Result<NamedTempFile, Failure> {
    let converted = convert::to_ethernet(path, link_type).map_err(|error| {
        Failure::new(format!(
            "{}: cannot be written anew as Ethernet frames: {error}; make room in {}",
            path.display(),
            std::env::temp_dir().display()
        ))
    })?;
    let converted = converted.ok_or_else(|| {
        Failure::new(CaptureError::LinkType { path: path.to_owned(), link_type }.to_string())
    })?;
    warn(&format!(
        "{}: its link type is {}; packets are replayed with Ethernet headers, which count among their bytes",
        path.display(),
        link_type_name(link_type)
    ));
    Ok(converted)
}

fn accept(path: &Path, info: &CaptureInfo, accept_truncated: bool) -> Result<(), Failure> {
    if let Some(damage) = &info.damage {
        let whole = format!("{} whole packets come before that", count(info.packets));
        if !accept_truncated {
            return Err(Failure::new(format!(
                "{}: {damage}; copy it again, or add --accept-truncated: {whole}",
                path.display()
            )));
        }
        warn(&format!("{}: {damage}; {whole}", path.display()));
    }
    if info.snapped_packets > 0 {
        warn(&format!(
            "{}: {} packets were cut when they were captured and count with what is left of them ({} in all); capture \
             with `tcpdump -s 0` to keep them whole",
            path.display(),
            count(info.snapped_packets),
            bytes(info.bytes),
        ));
    }
    Ok(())
}
