//! The memory that this process's control groups leave it: cgroups(7), and in the kernel's documentation cgroup-v2 and
//! cgroup-v1/memory.
//!
//! A group's limit holds for all groups below it together, so each group from the process's own up to the root counts.

use std::fs;
use std::path::{Path, PathBuf};

/// The least that any of this process's groups has left, in bytes; `None` if none has a limit, or none can be read.
pub(crate) fn memory_left() -> Option<u64> {
    let read = |name: &str| fs::read_to_string(format!("/proc/self/{name}")).ok();
    let (groups, mounts) = (read("cgroup")?, read("mountinfo")?);
    [Version::TWO, Version::ONE].iter().filter_map(|version| version.memory_left(&groups, &mounts)).min()
}

/// What the files of a hierarchy are called.
struct Version {
    /// The hierarchy's type in mountinfo.
    filesystem: &'static str,
    /// The controller, where each hierarchy has its own.
    controller: Option<&'static str>,
    limit: &'static str,
    used: &'static str,
    /// In `memory.stat`: file pages of this group and those below that the kernel takes away first when memory is short.
    reclaimable: &'static str,
}

impl Version {
    const TWO: Version = Version {
        filesystem: "cgroup2",
        controller: None,
        limit: "memory.max",
        used: "memory.current",
        reclaimable: "inactive_file",
    };
    const ONE: Version = Version {
        filesystem: "cgroup",
        controller: Some("memory"),
        limit: "memory.limit_in_bytes",
        used: "memory.usage_in_bytes",
        reclaimable: "total_inactive_file",
    };

    /// `groups` and `mounts` are the texts of /proc/self/cgroup and /proc/self/mountinfo.
    fn memory_left(&self, groups: &str, mounts: &str) -> Option<u64> {
        let group = groups.lines().find_map(|line| self.group(line))?;
        let (mount, own) = mounts.lines().find_map(|line| self.directory(line, group))?;
        own.ancestors()
            .take_while(|directory| directory.starts_with(&mount))
            .filter_map(|d| self.left(d))
            .min()
    }

    /// The group in a line such as `4:memory:/a/b`, or `0::/a/b` for version 2.
    fn group<'a>(&self, line: &'a str) -> Option<&'a str> {
        let mut fields = line.splitn(3, ':');
        let (hierarchy, controllers, group) = (fields.next()?, fields.next()?, fields.next()?);
        let ours = match self.controller {
            Some(controller) => controllers.split(',').any(|name| name == controller),
            None => hierarchy == "0" && controllers.is_empty(),
        };
        ours.then_some(group)
    }

    /// Where a line of mountinfo mounts this hierarchy, and the directory of the group in it.
    fn directory(&self, line: &str, group: &str) -> Option<(PathBuf, PathBuf)> {
        let (fields, filesystem) = line.split_once(" - ")?;
        let mut filesystem = filesystem.split(' ');
        let (kind, options) = (filesystem.next()?, filesystem.nth(1)?);
        if kind != self.filesystem
            || !self.controller.is_none_or(|name| options.split(',').any(|o| o == name))
        {
            return None;
        }
        let mut fields = fields.split(' ').skip(3);
        let (root, mount) = (fields.next()?, PathBuf::from(fields.next()?));
        // A group outside what is mounted (a container without a cgroup namespace): the mount's root is what is known.
        let below = Path::new(group).strip_prefix(root).unwrap_or(Path::new(""));
        let own = if below.starts_with("..") { mount.clone() } else { mount.join(below) };
        Some((mount, own))
    }

    /// What one group has left below its limit, if it has a limit.
    fn left(&self, directory: &Path) -> Option<u64> {
        let read = |name| fs::read_to_string(directory.join(name)).ok();
        // Without a limit: "max" in version 2, and in version 1 a number near 2^63, which never is the smallest.
        let limit: u64 = read(self.limit)?.trim().parse().ok()?;
        let used: u64 = read(self.used)?.trim().parse().ok()?;
        let statistics = read("memory.stat").unwrap_or_default();
        let reclaimable = statistics
            .lines()
            .find_map(|line| line.split_once(' ').filter(|(name, _)| *name == self.reclaimable));
        let reclaimable = reclaimable.and_then(|(_, bytes)| bytes.parse().ok()).unwrap_or(0);
        Some(limit.saturating_sub(used.saturating_sub(reclaimable)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A directory that is gone with the value.
    struct Hierarchy(PathBuf);

    impl Hierarchy {
        fn new(name: &str) -> Self {
            let path = std::env::temp_dir().join(format!("shout-cgroup-{name}-{}", std::process::id()));
            fs::create_dir_all(&path).unwrap();
            Self(path)
        }

        fn group(&self, path: &str, files: &[(&str, &str)]) {
            let directory = self.0.join(path);
            fs::create_dir_all(&directory).unwrap();
            for (name, text) in files {
                fs::write(directory.join(name), text).unwrap();
            }
        }

        fn mount(&self, root: &str, kind: &str, options: &str) -> String {
            format!("38 31 0:41 {root} {} rw,relatime shared:9 - {kind} {kind} {options}\n", self.0.display())
        }
    }

    impl Drop for Hierarchy {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    const MIB: u64 = 1 << 20;

    #[test]
    fn the_tightest_group_of_version_2_counts() {
        let hierarchy = Hierarchy::new("two");
        hierarchy.group("", &[]);
        hierarchy.group("a", &[("memory.max", "67108864\n"), ("memory.current", "10485760\n")]);
        hierarchy.group("a/b", &[("memory.max", "max\n"), ("memory.current", "1048576\n")]);
        hierarchy.group("a/b/c", &[("memory.max", "104857600\n"), ("memory.current", "1048576\n")]);
        let mounts = hierarchy.mount("/", "cgroup2", "rw,nsdelegate");
        let left = |group: &str| Version::TWO.memory_left(&format!("1:cpu:/x\n0::{group}\n"), &mounts);
        assert_eq!(left("/a/b/c"), Some(54 * MIB));
        assert_eq!(left("/a/b"), Some(54 * MIB));
        assert_eq!(left("/"), None);
        // Pages of files are given back when something else needs the memory.
        hierarchy.group("a", &[("memory.stat", "anon 5\ninactive_file 4194304\nactive_file 9\n")]);
        assert_eq!(left("/a/b/c"), Some(58 * MIB));
        hierarchy.group("a/b", &[("memory.max", "1048576\n"), ("memory.current", "2097152\n")]);
        assert_eq!(left("/a/b/c"), Some(0));
    }

    #[test]
    fn the_tightest_group_of_version_1_counts() {
        let hierarchy = Hierarchy::new("one");
        let (limit, used) = ("memory.limit_in_bytes", "memory.usage_in_bytes");
        hierarchy.group("", &[(limit, "9223372036854771712\n"), (used, "1\n")]);
        hierarchy.group("a", &[(limit, "67108864\n"), (used, "1048576\n")]);
        hierarchy.group("a/b", &[(limit, "9223372036854771712\n"), (used, "1048576\n")]);
        let mounts = format!(
            "{}{}",
            hierarchy.mount("/", "cgroup", "rw,cpu,cpuacct"),
            hierarchy.mount("/", "cgroup", "rw,memory")
        );
        let left =
            |group: &str| Version::ONE.memory_left(&format!("3:cpu:/z\n4:memory:{group}\n0::/\n"), &mounts);
        assert_eq!(left("/a/b"), Some(63 * MIB));
        assert!(left("/").is_some_and(|bytes| bytes > 1 << 60));
    }

    #[test]
    fn in_a_container_the_mounts_root_is_the_containers_group() {
        let hierarchy = Hierarchy::new("container");
        hierarchy.group("", &[("memory.max", "1048576\n"), ("memory.current", "0\n")]);
        hierarchy.group("own", &[("memory.max", "4096\n"), ("memory.current", "0\n")]);
        for (root, group, left) in [
            ("/docker/abc", "/docker/abc/own", 4096),
            ("/docker/abc", "/docker/abc", MIB),
            // The namespace of another process's mount: what lies above it cannot be seen.
            ("/", "/../../other", MIB),
            ("/docker/abc", "/elsewhere", MIB),
        ] {
            let mounts = hierarchy.mount(root, "cgroup2", "rw");
            assert_eq!(
                Version::TWO.memory_left(&format!("0::{group}\n"), &mounts),
                Some(left),
                "{root} {group}"
            );
        }
    }

    #[test]
    fn without_groups_there_is_no_limit() {
        assert_eq!(Version::TWO.memory_left("", ""), None);
        assert_eq!(Version::TWO.memory_left("0::/\n", "22 1 0:2 / / rw - ext4 /dev/sda rw\n"), None);
    }
}
