//! What this machine keeps of a project to be quicker, and may lose at any moment.

mod bytes;
pub mod drawer;
pub mod pack;

use jiff::Timestamp;

pub(crate) use bytes::{In, Out};
pub use drawer::Drawer;
pub(crate) use drawer::sum;
pub use pack::Packs;

/// Whether what was read is what a listing showed, by the times that both tell. The date of an HTTP
/// answer has whole seconds; listings of Ceph and MinIO tell more, those of AWS do not.
pub(crate) fn is_as_listed(read: Timestamp, listed: Timestamp) -> bool {
    let in_whole_seconds = read.subsec_nanosecond() == 0;
    read == listed || in_whole_seconds && read.as_second() == listed.as_second()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_listing_may_tell_more_of_a_time_than_the_object_does() {
        let same =
            |read: &str, listed: &str| is_as_listed(read.parse().unwrap(), listed.parse().unwrap());
        assert!(same("2026-11-21T08:23:01Z", "2026-11-21T08:23:01Z"));
        assert!(same("2026-11-21T08:23:01Z", "2026-11-21T08:23:01.987Z"));
        assert!(!same("2026-11-21T08:23:01Z", "2026-11-21T08:23:02Z"));
        // Both tell all they know here: another write within the second is another one.
        assert!(!same("2026-11-21T08:23:01.5Z", "2026-11-21T08:23:01.987Z"));
    }
}
