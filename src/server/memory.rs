//! How much memory the machine, or the container, has.

use std::fs;

/// The share of the machine's memory that bodies and connections may hold where the configuration does not say.
const SHARE: u64 = 4;

/// Where nothing tells how much there is.
const FALLBACK: u64 = 4 << 30;

/// The limit in bytes: `configured`, or a quarter of what there is where that is 0.
pub(super) fn limit(configured: u64) -> u64 {
    if configured > 0 { configured } else { available().unwrap_or(FALLBACK) / SHARE }
}

/// The machine's memory, or the control group's limit where that is lower.
fn available() -> Option<u64> {
    let machine = fs::read_to_string("/proc/meminfo").ok().and_then(|text| total_of(&text));
    let groups = ["/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"];
    let group = groups.into_iter().find_map(|path| fs::read_to_string(path).ok()?.trim().parse().ok());
    machine.into_iter().chain(group).min()
}

/// `MemTotal` of `/proc/meminfo`, which counts in KiB.
fn total_of(meminfo: &str) -> Option<u64> {
    let line = meminfo.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok().map(|kibibytes| kibibytes << 10)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernels_figure_is_read() {
        assert_eq!(total_of("MemTotal:       24597288 kB\nMemFree: 1 kB\n"), Some(24_597_288 << 10));
        assert_eq!(total_of("nothing"), None);
        assert_eq!(limit(5), 5);
        assert!(limit(0) > 0);
    }
}
