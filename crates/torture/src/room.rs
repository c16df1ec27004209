//! How much memory and how much of the processors a node may have: control groups, version 1 or 2, whichever the machine has.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

/// A group of each node, until it is dropped.
pub(crate) struct Room {
    groups: Vec<PathBuf>,
    version: Version,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Version {
    One,
    Two,
}

const ROOT: &str = "/sys/fs/cgroup";

fn version() -> Version {
    if Path::new(ROOT).join("cgroup.controllers").exists() { Version::Two } else { Version::One }
}

/// The parents of our groups: one a controller, or one for all.
fn parents() -> Vec<PathBuf> {
    match version() {
        Version::One => ["cpu", "memory"].map(|controller| Path::new(ROOT).join(controller)).to_vec(),
        Version::Two => vec![PathBuf::from(ROOT)],
    }
}

/// Whether groups can be had here.
#[must_use]
pub(crate) fn is_possible() -> bool {
    Room::build(0).is_ok_and(|room| {
        let files = match room.version {
            Version::One => &["cpu.cfs_quota_us", "memory.limit_in_bytes"][..],
            Version::Two => &["cpu.max", "memory.max"][..],
        };
        files.iter().all(|file| room.groups.iter().any(|group| group.join(file).exists()))
    })
}

impl Room {
    /// # Errors
    /// There are no control groups that we may make.
    pub(crate) fn build(node: usize) -> Result<Self> {
        let name = format!("drl-torture-{}-{node}", std::process::id());
        let mut room = Self { groups: Vec::new(), version: version() };
        for parent in parents() {
            let group = parent.join(&name);
            std::fs::create_dir_all(&group).with_context(|| group.display().to_string())?;
            room.groups.push(group);
        }
        Ok(room)
    }

    /// Takes a process in.
    ///
    /// # Errors
    /// It is gone.
    pub(crate) fn admit(&self, pid: u32) -> Result<()> {
        self.groups.iter().try_for_each(|group| Ok(std::fs::write(group.join("cgroup.procs"), pid.to_string())?))
    }

    /// So much of one processor, in percent; `None`: all there is.
    ///
    /// # Errors
    /// The system refuses.
    pub(crate) fn processors(&self, percent: Option<u64>) -> Result<()> {
        let quota = percent.map(|percent| percent * 1_000);
        match self.version {
            Version::One => self.write("cpu.cfs_quota_us", &quota.map_or("-1".to_owned(), |quota| quota.to_string())),
            Version::Two => self.write("cpu.max", &quota.map_or("max".to_owned(), |quota| format!("{quota} 100000"))),
        }
    }

    /// So much memory, in MiB; `None`: all there is.
    ///
    /// # Errors
    /// The system refuses.
    pub(crate) fn memory(&self, mebibytes: Option<u64>) -> Result<()> {
        let bytes = mebibytes.map(|mebibytes| mebibytes << 20);
        match self.version {
            Version::One => {
                self.write("memory.limit_in_bytes", &bytes.map_or("-1".to_owned(), |bytes| bytes.to_string()))
            }
            Version::Two => self.write("memory.max", &bytes.map_or("max".to_owned(), |bytes| bytes.to_string())),
        }
    }

    fn write(&self, file: &str, value: &str) -> Result<()> {
        let group = self.groups.iter().find(|group| group.join(file).exists());
        let path = group.with_context(|| format!("no {file}"))?.join(file);
        std::fs::write(&path, value).with_context(|| format!("{value} into {}", path.display()))
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        for group in &self.groups {
            let _ = std::fs::remove_dir(group);
        }
    }
}
