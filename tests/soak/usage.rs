//! What httpd's processes take of the machine, read from `/proc`.

use std::fs;

/// One process at one moment.
#[derive(Clone, Copy, Debug, Default)]
pub struct Usage {
    /// Its process id.
    pub pid: u32,
    /// Anonymous memory that is resident, in KiB: what malloc and APR's pools hold.
    pub private: u64,
    /// Its share of all resident memory (Pss), in KiB.
    pub share: u64,
    /// Memory that is mapped to be shared with other processes, touched or not, in KiB.
    pub shared: u64,
    /// Open descriptors.
    pub descriptors: u64,
    /// Threads.
    pub threads: u64,
}

impl Usage {
    /// A process's; `None` when it has ended, or may not be looked at.
    pub fn of(pid: u32) -> Option<Usage> {
        let file = |name: &str| fs::read_to_string(format!("/proc/{pid}/{name}")).ok();
        let status = file("status")?;
        Some(Usage {
            pid,
            private: number(&status, "RssAnon:")?,
            share: number(&file("smaps_rollup")?, "Pss:")?,
            shared: shared(&file("maps")?),
            descriptors: u64::try_from(fs::read_dir(format!("/proc/{pid}/fd")).ok()?.count()).ok()?,
            threads: number(&status, "Threads:")?,
        })
    }
}

fn number(text: &str, name: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    line.split_whitespace().next()?.parse().ok()
}

/// The KiB of the mappings that a writer shares with others (`rw-s`), as in
/// `7f0000000000-7f0000100000 rw-s 00000000 00:01 1 /dev/zero (deleted)`.
fn shared(maps: &str) -> u64 {
    let length = |line: &str| {
        let mut fields = line.split_whitespace();
        let (from, to) = fields.next()?.split_once('-')?;
        let address = |text| u64::from_str_radix(text, 16).ok();
        let is_shared = fields.next()?.starts_with("rw-s");
        is_shared.then_some(address(to)?.saturating_sub(address(from)?) / 1024)
    };
    maps.lines().filter_map(length).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_can_be_looked_at() {
        let before = Usage::of(std::process::id()).expect("this process");
        assert!(
            before.private > 0 && before.share > 0 && before.threads > 0,
            "{before:?}"
        );
        let files: Vec<_> = (0..50).map(|_| fs::File::open("/dev/null")).collect();
        let after = Usage::of(std::process::id()).expect("this process");
        assert!(
            after.descriptors >= before.descriptors + 40,
            "{before:?} {after:?}"
        );
        drop(files);
        assert!(Usage::of(u32::MAX).is_none());
    }

    #[test]
    fn only_what_can_be_written_together_is_shared_memory() {
        let maps = "7f0000000000-7f0000100000 rw-s 00000000 00:01 1 /dev/zero (deleted)\n\
                    7f0000200000-7f0000300000 rw-p 00000000 00:00 0\n\
                    7f0000400000-7f0000402000 r--s 00000000 00:01 2 /usr/lib/locale\n";
        assert_eq!(shared(maps), 1024);
    }
}
