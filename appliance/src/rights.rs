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
    use super::*;

    #[test]
    fn without_rights_no_file_no_network_and_no_program_can_be_reached() {
        // Only this thread gives its rights up.
        let outcome = std::thread::spawn(|| {
            give_up(Rights::Nothing, &[]).map_err(|error| format!("{error:#}"))?;
            let reached = [
                ("a file", std::fs::read("/etc/hostname").is_ok()),
                ("a folder", std::fs::read_dir("/").is_ok()),
                ("the network", std::net::UdpSocket::bind("127.0.0.1:0").is_ok()),
                ("a program", std::process::Command::new("/bin/true").status().is_ok()),
            ];
            Ok::<_, String>(reached)
        });
        for (what, reached) in outcome.join().unwrap().unwrap() {
            assert!(!reached, "{what} could be reached");
        }
    }

    #[test]
    fn the_reader_of_pictures_starts_programs_and_reaches_no_network() {
        // A kernel without Landlock refuses, which is right as well.
        let outcome = std::thread::spawn(|| {
            give_up(Rights::Pictures, banyan_knowledge::extract::ocr_places())
                .map_err(|e| format!("{e:#}"))?;
            let program = std::process::Command::new("/usr/bin/true").status().map_err(|e| e.to_string())?;
            Ok::<_, String>((program.success(), std::net::UdpSocket::bind("127.0.0.1:0").is_ok()))
        });
        match outcome.join().unwrap() {
            Ok(reached) => assert_eq!(reached, (true, false)),
            Err(refusal) => assert!(refusal.contains("no Landlock"), "{refusal}"),
        }
    }
}
