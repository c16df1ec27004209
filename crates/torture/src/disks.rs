//! Disks that lose what was not put on them when the power goes: a file system in a file. What the kernel has not written back is in its
//! memory alone, so a copy of the file, made when everybody is dead, is what would be found after a power cut.

use std::path::{Path, PathBuf};

use anyhow::Result;

use crate::shell::run;

const MEBIBYTES: u64 = 512;

/// Mounted until it is dropped, or until the namespace of mounts ends.
pub(crate) struct LossyDisk {
    image: PathBuf,
    at: PathBuf,
}

impl LossyDisk {
    /// # Errors
    /// There are no loop devices, or no mkfs.ext4.
    pub(crate) fn mount(image: &Path, at: &Path) -> Result<Self> {
        let disk = Self { image: image.to_owned(), at: at.to_owned() };
        let (image, at) = (image.display(), at.display());
        // Nothing is written back by age while a run lasts, if the kernel lets us say so.
        run(&format!("truncate -s {MEBIBYTES}M {image}; mkfs.ext4 -q -F {image}; mkdir -p {at}"))?;
        disk.mount_again()?;
        Ok(disk)
    }

    fn mount_again(&self) -> Result<()> {
        run(&format!("mount -o loop,commit=300 {} {}", self.image.display(), self.at.display()))
    }

    /// The power goes and comes back: whoever used it is dead.
    ///
    /// # Errors
    /// It cannot be mounted again.
    pub(crate) fn lose_power(&self) -> Result<()> {
        let (image, at) = (self.image.display(), self.at.display());
        run(&format!("cp --sparse=always {image} {image}.found; umount {at}; mv {image}.found {image}"))?;
        self.mount_again()
    }
}

impl Drop for LossyDisk {
    fn drop(&mut self) {
        let _ = run(&format!("umount --lazy {}", self.at.display()));
    }
}

/// From now on this machine has been started anew, for whoever asks the kernel: a file over its own.
///
/// # Errors
/// Nothing may be mounted.
pub(crate) fn boot_anew(directory: &Path, number: u64) -> Result<()> {
    let file = directory.join("boot_id");
    std::fs::write(&file, format!("00000000-0000-4000-8000-{number:012x}\n"))?;
    let kernel = "/proc/sys/kernel/random/boot_id";
    run(&format!("umount {kernel} 2>/dev/null || true; mount --bind {} {kernel}", file.display()))
}
