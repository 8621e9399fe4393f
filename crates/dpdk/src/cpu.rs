//! Which CPUs this process may use, and how lcores are laid over them.

use std::fmt::Write;
use std::fs;

/// The CPUs this process may run on (ascending), as the kernel lists them in `/proc/self/status`.
///
/// Empty only if the kernel does not say; callers then take CPU 0.
pub fn allowed() -> Vec<usize> {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let list = status.lines().find_map(|line| line.strip_prefix("Cpus_allowed_list:"));
    parse_list(list.unwrap_or_default().trim())
}

/// Parses the kernel's list form, such as `0-3,8`; what is not a number is left out.
fn parse_list(list: &str) -> Vec<usize> {
    let mut cpus = Vec::new();
    for part in list.split(',') {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        if let (Ok(first), Ok(last)) = (first.parse::<usize>(), last.parse::<usize>()) {
            cpus.extend(first..=last);
        }
    }
    cpus
}

/// The EAL's `--lcores` argument for one main lcore and `workers` more.
///
/// The main lcore may float over all allowed CPUs, since it only waits. Workers are pinned to one CPU each, from the
/// last CPU down, so that CPU 0 (interrupts, housekeeping) is used last; with more workers than CPUs they share.
pub(crate) fn lcore_map(cpus: &[usize], workers: usize) -> String {
    let all = if cpus.is_empty() { vec![0] } else { cpus.to_vec() };
    let main: Vec<String> = all.iter().map(usize::to_string).collect();
    let mut map = format!("0@({})", main.join(","));
    for (worker, cpu) in (1..=workers).zip(all.iter().rev().cycle()) {
        // Writing to a String cannot fail.
        let _ = write!(map, ",{worker}@{cpu}");
    }
    map
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kernel_lists_are_read() {
        assert_eq!(parse_list("0-2,5"), [0, 1, 2, 5]);
        assert_eq!(parse_list("7"), [7]);
        assert!(parse_list("").is_empty());
    }

    #[test]
    fn this_process_may_run_somewhere() {
        assert!(!allowed().is_empty());
    }

    #[test]
    fn workers_are_pinned_from_the_last_cpu_down_and_share_when_there_are_too_many() {
        assert_eq!(lcore_map(&[0, 1], 3), "0@(0,1),1@1,2@0,3@1");
        assert_eq!(lcore_map(&[], 1), "0@(0),1@0");
    }
}
