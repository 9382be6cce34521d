//! What a process that reads strangers' files gives up before it reads one: files, network, other processes.
//!
//! Three fences, since none is on every kernel: resource limits (memory, time), Landlock (files, network), and seccomp
//! (which calls the kernel answers at all). Where a kernel lacks one the others hold, or the file is not read.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use landlock::{
    ABI, Access, AccessFs, AccessNet, Ruleset, RulesetAttr, RulesetCreatedAttr, RulesetStatus, Scope,
    path_beneath_rules,
};
use nix::libc;
use nix::sys::resource::{Resource, setrlimit};
use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter, SeccompRule,
};

/// What is left to the process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Rights {
    /// To compute, to read what is open, to write what is open.
    Nothing,
    /// The same, and to start the program that reads pictures, which needs to see its own files.
    Pictures,
}

/// What the process needs of the kernel to compute: its memory, its clock, its open files, its end.
const COMPUTING: &[libc::c_long] = &[
    libc::SYS_read,
    libc::SYS_readv,
    libc::SYS_pread64,
    libc::SYS_write,
    libc::SYS_writev,
    libc::SYS_lseek,
    libc::SYS_close,
    libc::SYS_fstat,
    libc::SYS_statx,
    libc::SYS_mmap,
    libc::SYS_munmap,
    libc::SYS_mremap,
    libc::SYS_mprotect,
    libc::SYS_madvise,
    libc::SYS_brk,
    libc::SYS_futex,
    libc::SYS_membarrier,
    libc::SYS_sched_yield,
    libc::SYS_sched_getaffinity,
    libc::SYS_clock_gettime,
    libc::SYS_clock_nanosleep,
    libc::SYS_nanosleep,
    libc::SYS_gettimeofday,
    libc::SYS_getrandom,
    libc::SYS_getpid,
    libc::SYS_gettid,
    libc::SYS_rt_sigaction,
    libc::SYS_rt_sigprocmask,
    libc::SYS_rt_sigreturn,
    libc::SYS_sigaltstack,
    libc::SYS_restart_syscall,
    libc::SYS_rseq,
    libc::SYS_exit,
    libc::SYS_exit_group,
];

/// What the program that reads pictures must not do. It is one of Debian's, so what it may do cannot be listed; the
/// files that it sees are Landlock's.
const NOT_FOR_PICTURES: &[libc::c_long] = &[
    libc::SYS_socket,
    libc::SYS_connect,
    libc::SYS_bind,
    libc::SYS_listen,
    libc::SYS_accept,
    libc::SYS_accept4,
    // The node has the same user: no signal may reach it, nor may anything leave the group that it ends.
    libc::SYS_kill,
    libc::SYS_tkill,
    libc::SYS_tgkill,
    libc::SYS_pidfd_send_signal,
    libc::SYS_rt_sigqueueinfo,
    libc::SYS_rt_tgsigqueueinfo,
    libc::SYS_setsid,
    libc::SYS_setpgid,
    libc::SYS_ptrace,
    libc::SYS_process_vm_readv,
    libc::SYS_process_vm_writev,
    libc::SYS_pidfd_getfd,
    libc::SYS_mount,
    libc::SYS_umount2,
    libc::SYS_pivot_root,
    libc::SYS_chroot,
    libc::SYS_setns,
    libc::SYS_unshare,
    libc::SYS_bpf,
    libc::SYS_perf_event_open,
    libc::SYS_userfaultfd,
    libc::SYS_io_uring_setup,
    libc::SYS_keyctl,
    libc::SYS_add_key,
    libc::SYS_request_key,
    libc::SYS_open_by_handle_at,
    libc::SYS_init_module,
    libc::SYS_finit_module,
    libc::SYS_kexec_load,
    libc::SYS_reboot,
    libc::SYS_truncate,
    libc::SYS_ftruncate,
];

/// Bounds memory and time of this process and of those that it starts, for good.
pub(crate) fn bound(memory: u64, time: Duration) -> Result<()> {
    let seconds = time.as_secs().max(1);
    for (what, asks, most) in [
        (Resource::RLIMIT_AS, memory, memory),
        // Past the first the kernel ends the process with a word for it, past the second without.
        (Resource::RLIMIT_CPU, seconds + 1, seconds + 2),
        (Resource::RLIMIT_FSIZE, 0, 0),
        (Resource::RLIMIT_NOFILE, 64, 64),
        // A core would hold the file that was read, on the disk, unencrypted.
        (Resource::RLIMIT_CORE, 0, 0),
    ] {
        setrlimit(what, asks, most).with_context(|| format!("{what:?} could not be set"))?;
    }
    Ok(())
}

/// Gives up everything else, for good, for this thread and what it starts. Of the file system, a reader of pictures
/// keeps these places.
pub(crate) fn give_up(rights: Rights, places: &[&str]) -> Result<()> {
    let closed = close_files(rights, places).context("Landlock")?;
    // Without pictures seccomp opens no file anyway.
    if rights == Rights::Pictures && !closed {
        bail!(
            "this kernel has no Landlock, which keeps the program that reads pictures away from the box's files"
        );
    }
    let (calls, on_listed, on_others) = match rights {
        Rights::Nothing => {
            (COMPUTING, SeccompAction::Allow, SeccompAction::Errno(libc::EPERM.cast_unsigned()))
        }
        Rights::Pictures => {
            (NOT_FOR_PICTURES, SeccompAction::Errno(libc::EPERM.cast_unsigned()), SeccompAction::Allow)
        }
    };
    let mut rules: BTreeMap<i64, Vec<_>> = calls.iter().map(|&call| (call, Vec::new())).collect();
    if rights == Rights::Nothing {
        // To end itself by a signal, when it has no memory left.
        let own = u64::from(std::process::id());
        let itself = SeccompCondition::new(0, SeccompCmpArgLen::Dword, SeccompCmpOp::Eq, own)?;
        rules.insert(libc::SYS_tgkill, vec![SeccompRule::new(vec![itself])?]);
    }
    let filter = SeccompFilter::new(rules, on_others, on_listed, std::env::consts::ARCH.try_into()?)?;
    let program: BpfProgram = filter.try_into()?;
    seccompiler::apply_filter(&program).context("seccomp")
}

/// Whether this kernel can.
fn close_files(rights: Rights, places: &[&str]) -> Result<bool> {
    let abi = ABI::V6;
    let mut rules = Ruleset::default()
        .handle_access(AccessFs::from_all(abi))?
        .handle_access(AccessNet::from_all(abi))?
        .scope(Scope::from_all(abi))?
        .create()?;
    if rights == Rights::Pictures {
        rules = rules
            .add_rules(path_beneath_rules(places, AccessFs::from_read(abi)))?
            .add_rules(path_beneath_rules(["/dev/null"], AccessFs::from_file(abi)))?;
    }
    Ok(rules.restrict_self()?.ruleset != RulesetStatus::NotEnforced)
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::net::UdpSocket;
    use std::os::unix::net::UnixDatagram;
    use std::process::Command;

    use nix::sys::signal::kill;
    use nix::unistd::Pid;

    use super::*;

    /// What can be reached from a thread that gave its rights up: only that thread does.
    fn reached(rights: Rights) -> Result<[(&'static str, bool); 8], String> {
        let dir = tempfile::tempdir().unwrap();
        let (own, new) = (dir.path().join("own"), dir.path().join("new"));
        fs::write(&own, "words").unwrap();
        let mut other = Command::new("/bin/sleep").arg("60").spawn().unwrap();
        let pid = Pid::from_raw(other.id().cast_signed());
        let outcome = std::thread::spawn(move || {
            give_up(rights, banyan_knowledge::extract::ocr_places()).map_err(|error| format!("{error:#}"))?;
            Ok([
                ("a file", fs::read(&own).is_ok()),
                ("a folder", fs::read_dir("/etc").is_ok()),
                ("a new file", fs::write(&new, "words").is_ok()),
                ("a file's end", fs::remove_file(&own).is_ok()),
                ("a socket", UnixDatagram::unbound().is_ok()),
                ("the network", UdpSocket::bind("127.0.0.1:0").is_ok()),
                ("another process", kill(pid, None).is_ok()),
                ("a program", Command::new("/usr/bin/true").status().is_ok_and(|status| status.success())),
            ])
        });
        let reached = outcome.join().unwrap();
        other.kill().unwrap();
        other.wait().unwrap();
        reached
    }

    #[test]
    fn without_rights_no_file_no_network_no_process_and_no_program_can_be_reached() {
        for (what, reached) in reached(Rights::Nothing).unwrap() {
            assert!(!reached, "{what} could be reached");
        }
    }

    #[test]
    fn the_reader_of_pictures_reaches_programs_and_nothing_else() {
        match reached(Rights::Pictures) {
            Ok(all) => {
                for (what, reached) in all {
                    assert_eq!(reached, what == "a program", "{what}");
                }
            }
            // A kernel without Landlock: then pictures are not read.
            Err(refusal) => assert!(refusal.contains("no Landlock"), "{refusal}"),
        }
    }
}
