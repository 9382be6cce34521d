//! Every earlier version of what the assembly keeps in the store becomes the newest one.
#![allow(clippy::unwrap_used, reason = "a failure here is a failed test")]

use banyan_assembly::rooms;
use banyan_store::testing::check_upwards;

#[test]
fn every_earlier_version_becomes_the_newest() {
    for room in rooms() {
        check_upwards(&room).unwrap();
    }
}
