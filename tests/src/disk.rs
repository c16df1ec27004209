//! A small file system in memory, for disks that fill up.

use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Result;

/// Mounted until it is dropped.
pub struct SmallDisk(PathBuf);

impl SmallDisk {
    /// So many MiB at this place. `None`, and it says so, where nothing may be mounted.
    ///
    /// # Errors
    /// `mount` cannot be run.
    pub fn mount(at: &Path, mebibytes: u64) -> Result<Option<Self>> {
        std::fs::create_dir_all(at)?;
        let size = format!("size={mebibytes}m");
        let mounted = Command::new("mount").args(["-t", "tmpfs", "-o", &size, "tmpfs"]).arg(at).status()?;
        if !mounted.success() {
            println!("SKIPPED: nothing may be mounted here, so no disk fills up");
            return Ok(None);
        }
        Ok(Some(Self(at.to_owned())))
    }

    /// Leaves no room; the file that takes it.
    ///
    /// # Errors
    /// No file can be made there.
    pub fn fill(&self) -> Result<PathBuf> {
        let filler = self.0.join("filler");
        let mut file = File::create(&filler)?;
        while file.write_all(&[0; 16_384]).is_ok() {}
        while file.write_all(&[0]).is_ok() {}
        Ok(filler)
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // Also while the test panics and its node still holds files there.
        let _ = Command::new("umount").arg("--lazy").arg(&self.0).status();
    }
}
