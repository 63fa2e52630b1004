//! Every call that reaches the file system, one small function each: the one place where they can
//! be counted or made to fail. Nothing here decides anything.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;

use jiff::Timestamp;
use rustix::fs::{AtFlags, CWD, FileType, Mode, OFlags, Stat, Timespec, Timestamps, UTIME_NOW};
use rustix::io::retry_on_intr;
use rustix::{fs, io};

use super::calls::{Act, Watch};

pub(super) use rustix::fs::DirEntry;
pub(super) use rustix::io::{Errno, Result};

/// An open file or folder.
#[derive(Debug)]
pub(super) struct Handle {
    fd: OwnedFd,
    watch: Watch,
}

/// What a call is made on: a handle, lent.
#[derive(Clone, Copy, Debug)]
pub(super) struct At<'a> {
    fd: BorrowedFd<'a>,
    watch: &'a Watch,
}

/// A folder that is being read.
#[derive(Debug)]
pub(super) struct Dir {
    dir: fs::Dir,
    watch: Watch,
}

/// What stands under a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    File,
    Folder,
    Link,
    /// A pipe, a socket, a device.
    Other,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Meta {
    pub kind: Kind,
    pub size: u64,
    pub modified: Timestamp,
    /// When anything of it was changed, the names in a folder too; nobody can set it.
    pub changed: Timestamp,
    /// Device and inode: two names with one id are one file.
    pub id: (i128, i128),
    /// A folder whose maker has not come to making its name last, see [`make_folder`].
    pub is_unsettled: bool,
}

impl Handle {
    pub fn at(&self) -> At<'_> {
        At { fd: self.fd.as_fd(), watch: &self.watch }
    }

    pub fn is_watched(&self) -> bool {
        self.watch.is_watched()
    }

    pub fn try_clone(&self) -> std::io::Result<Handle> {
        Ok(Handle { fd: self.fd.try_clone()?, watch: self.watch.clone() })
    }
}

impl At<'_> {
    /// Opens something in this folder.
    fn open(self, act: Act<'_>, name: &str, flags: OFlags, mode: Mode) -> Result<Handle> {
        let open = || retry_on_intr(|| fs::openat(self.fd, name, flags | OFlags::CLOEXEC, mode));
        Ok(Handle { fd: self.watch.see(act, open)?, watch: self.watch.below(name) })
    }
}

impl Dir {
    pub fn at(&self) -> Result<At<'_>> {
        Ok(At { fd: self.dir.fd()?, watch: &self.watch })
    }

    /// From the start, as it is now.
    pub fn rewind(&mut self) {
        self.dir.rewind();
    }

    pub fn read(&mut self) -> Option<Result<DirEntry>> {
        self.dir.read()
    }
}

/// The one place that follows symlinks: where the root lies is the user's own choice.
pub(super) fn open_root(root: &Path, watch: &Watch) -> Result<Handle> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let open = || retry_on_intr(|| fs::openat(CWD, root, flags, Mode::empty()));
    Ok(Handle { fd: watch.see(Act::OpenRoot(root), open)?, watch: watch.clone() })
}

pub(super) fn make_root(root: &Path, watch: &Watch) -> Result<()> {
    watch.see(Act::MakeRoot(root), || fs::mkdirat(CWD, root, Mode::RWXU | Mode::SVTX))
}

pub(super) fn open_folder(folder: At<'_>, name: &str) -> Result<Handle> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW;
    folder.open(Act::OpenFolder(name), name, flags, Mode::empty())
}

/// Marks it as one whose name is not synced yet, by a bit that means nothing in a folder which its
/// owner alone may write to. Its maker may be killed before the sync; whoever finds the mark syncs.
pub(super) fn make_folder(folder: At<'_>, name: &str) -> Result<()> {
    let mode = Mode::RWXU | Mode::SVTX;
    folder.watch.see(Act::MakeFolder(name), || fs::mkdirat(folder.fd, name, mode))
}

/// Takes the mark off.
pub(super) fn mark_settled(folder: At<'_>) -> Result<()> {
    folder.watch.see(Act::SetMode, || fs::fchmod(folder.fd, Mode::RWXU))
}

/// Never waits: without `NONBLOCK` the opening of a pipe would, for its writer.
pub(super) fn open_file(folder: At<'_>, name: &str) -> Result<Handle> {
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY;
    folder.open(Act::OpenFile(name), name, flags, Mode::empty())
}

pub(super) fn create_file(folder: At<'_>, name: &str) -> Result<Handle> {
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW;
    folder.open(Act::CreateFile(name), name, flags, Mode::RUSR | Mode::WUSR)
}

/// A file that never has a name, so that nothing of it is left whatever happens to us.
#[cfg(target_os = "linux")]
pub(super) fn create_nameless(folder: At<'_>) -> Result<Handle> {
    let flags = OFlags::WRONLY | OFlags::TMPFILE | OFlags::EXCL;
    folder.open(Act::CreateNameless, ".", flags, Mode::RUSR | Mode::WUSR)
}

#[cfg(not(target_os = "linux"))]
pub(super) fn create_nameless(_folder: At<'_>) -> Result<Handle> {
    Err(Errno::NOSYS)
}

pub(super) fn write_all(file: At<'_>, bytes: &[u8]) -> Result<()> {
    let pieces = file.watch.pieces(bytes);
    pieces.into_iter().filter(|piece| !piece.is_empty()).try_for_each(|mut bytes| {
        file.watch.see(Act::Write(bytes), || {
            while !bytes.is_empty() {
                match retry_on_intr(|| io::write(file.fd, bytes))? {
                    // POSIX does not promise an error for a write that goes nowhere.
                    0 => return Err(Errno::IO),
                    written => bytes = &bytes[written..],
                }
            }
            Ok(())
        })
    })
}

pub(super) fn read(file: At<'_>, buffer: &mut [u8]) -> Result<usize> {
    file.watch.see(Act::Read, || retry_on_intr(|| io::read(file.fd, &mut *buffer)))
}

/// Returns when the bytes, or a folder's names, are where a power cut cannot take them.
pub(super) fn sync(file: At<'_>) -> Result<()> {
    file.watch.see(Act::Sync, || {
        // On macOS fsync stops at the drive's own cache.
        #[cfg(target_vendor = "apple")]
        if fs::fcntl_fullfsync(file.fd).is_ok() {
            return Ok(());
        }
        retry_on_intr(|| fs::fsync(file.fd))
    })
}

/// Returns when everything that the file system of `file` has is where a power cut cannot take it.
#[cfg(target_os = "linux")]
pub(super) fn sync_all(file: At<'_>) -> Result<()> {
    retry_on_intr(|| fs::syncfs(file.fd))
}

#[cfg(not(target_os = "linux"))]
pub(super) fn sync_all(_file: At<'_>) -> Result<()> {
    Err(Errno::NOSYS)
}

/// Local file systems whose `syncfs` waits for data and names, and tells of failures: not those of
/// a network or of a program, which may answer for themselves alone. Numbers from `linux/magic.h`.
#[cfg(target_os = "linux")]
pub(super) fn keeps_all_on_request(place: &Path) -> bool {
    const EXT: u32 = 0xEF53;
    const XFS: u32 = 0x5846_5342;
    const BTRFS: u32 = 0x9123_683E;
    const F2FS: u32 = 0xF2F5_2010;
    const TMPFS: u32 = 0x0102_1994;
    filesystem_magic(place).is_ok_and(|kind| [EXT, XFS, BTRFS, F2FS, TMPFS].contains(&kind))
}

#[cfg(not(target_os = "linux"))]
pub(super) fn keeps_all_on_request(_place: &Path) -> bool {
    false
}

pub(super) fn link(folder: At<'_>, from: &str, to: &str) -> Result<()> {
    let link = || fs::linkat(folder.fd, from, folder.fd, to, AtFlags::empty());
    folder.watch.see(Act::Link { from, to }, link)
}

pub(super) fn rename(folder: At<'_>, from: &str, to: &str) -> Result<()> {
    let rename = || fs::renameat(folder.fd, from, folder.fd, to);
    folder.watch.see(Act::Rename { from, to }, rename)
}

/// Renames only where nothing has the new name.
#[cfg(any(target_os = "linux", target_os = "android", target_vendor = "apple"))]
pub(super) fn rename_new(folder: At<'_>, from: &str, to: &str) -> Result<()> {
    let flags = fs::RenameFlags::NOREPLACE;
    let rename = || fs::renameat_with(folder.fd, from, folder.fd, to, flags);
    folder.watch.see(Act::Rename { from, to }, rename)
}

#[cfg(not(any(target_os = "linux", target_os = "android", target_vendor = "apple")))]
pub(super) fn rename_new(_folder: At<'_>, _from: &str, _to: &str) -> Result<()> {
    Err(Errno::NOSYS)
}

pub(super) fn unlink(folder: At<'_>, name: &str) -> Result<()> {
    let unlink = || fs::unlinkat(folder.fd, name, AtFlags::empty());
    folder.watch.see(Act::Unlink(name), unlink)
}

pub(super) fn stat(file: At<'_>) -> Result<Meta> {
    file.watch.see(Act::Stat, || fs::fstat(file.fd).map(|stat| meta(&stat)))
}

/// What the name itself stands for: a symlink is a symlink.
pub(super) fn stat_at(folder: At<'_>, name: &str) -> Result<Meta> {
    let stat = || fs::statat(folder.fd, name, AtFlags::SYMLINK_NOFOLLOW).map(|stat| meta(&stat));
    folder.watch.see(Act::StatAt(name), stat)
}

/// Sets the file's times by the clock of the file system, on a network by the server's.
pub(super) fn touch(file: At<'_>) -> Result<()> {
    // Both times, so that write access is enough and we need not own the file.
    let now = Timespec { tv_sec: 0, tv_nsec: UTIME_NOW };
    let both = Timestamps { last_access: now, last_modification: now };
    file.watch.see(Act::Touch, || fs::futimens(file.fd, &both))
}

pub(super) fn read_folder(folder: Handle) -> Result<Dir> {
    let Handle { fd, watch } = folder;
    let dir = watch.see(Act::ReadFolder, || fs::Dir::new(fd))?;
    Ok(Dir { dir, watch })
}

pub(super) fn kind_of(entry: FileType) -> Option<Kind> {
    match entry {
        FileType::RegularFile => Some(Kind::File),
        FileType::Directory => Some(Kind::Folder),
        FileType::Symlink => Some(Kind::Link),
        FileType::Unknown => None,
        _ => Some(Kind::Other),
    }
}

/// The number by which Linux tells file systems apart.
#[cfg(target_os = "linux")]
pub(super) fn filesystem_magic(place: &Path) -> Result<u32> {
    // The field's width and sign differ from machine to machine; the numbers have 32 bits.
    fs::statfs(place).map(|found| found.f_type as u32)
}

/// The name by which macOS and the BSDs tell file systems apart.
#[cfg(target_vendor = "apple")]
pub(super) fn filesystem_name(place: &Path) -> Result<String> {
    let found = fs::statfs(place)?;
    Ok(found
        .f_fstypename
        .iter()
        .map(|&byte| char::from(byte as u8))
        .take_while(|&c| c != '\0')
        .collect())
}

fn meta(stat: &Stat) -> Meta {
    // The fields' types differ from machine to machine; all of them fit. A folder may have taken
    // over the group's bit of the one around it.
    let mode = Mode::from_raw_mode(stat.st_mode) & Mode::from_raw_mode(0o1777);
    Meta {
        is_unsettled: mode == Mode::RWXU | Mode::SVTX,
        kind: kind_of(FileType::from_raw_mode(stat.st_mode)).unwrap_or(Kind::Other),
        size: u64::try_from(i128::from(stat.st_size)).unwrap_or(0),
        modified: time(i128::from(stat.st_mtime), i128::from(stat.st_mtime_nsec)),
        changed: time(i128::from(stat.st_ctime), i128::from(stat.st_ctime_nsec)),
        id: (i128::from(stat.st_dev), i128::from(stat.st_ino)),
    }
}

/// Anybody may set a file's time to anything: what no calendar knows becomes the nearest it does.
fn time(seconds: i128, nanoseconds: i128) -> Timestamp {
    let nearest = if seconds < 0 { Timestamp::MIN } else { Timestamp::MAX };
    Timestamp::from_nanosecond(seconds.saturating_mul(1_000_000_000).saturating_add(nanoseconds))
        .unwrap_or(nearest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_that_no_calendar_knows_becomes_the_nearest_it_does() {
        assert_eq!(time(0, 5).as_nanosecond(), 5);
        assert_eq!(time(i128::from(i64::MAX), 0), Timestamp::MAX);
        assert_eq!(time(i128::from(i64::MIN), 0), Timestamp::MIN);
    }

    #[test]
    fn a_touched_file_has_the_time_of_one_that_was_just_written() {
        let place = tempfile::tempdir().unwrap();
        let root = open_root(place.path(), &Watch::default()).unwrap();
        let probe = create_file(root.at(), "probe").unwrap();
        let written = create_file(root.at(), "written").unwrap();
        write_all(written.at(), b"x").unwrap();
        touch(probe.at()).unwrap();
        let [probe, written] = [probe, written].map(|file| stat(file.at()).unwrap().modified);
        assert!(probe >= written && probe.duration_since(written).as_millis() < 1000);
    }
}
