//! Debian and Ubuntu packages: only those that are missing, only with a word before, never silently as root.

use std::io::IsTerminal;
use std::process::Command;

use anyhow::{Result, bail};

use crate::shell::{capture, note, run, say, words, works};

/// A package and how to see that it is not needed.
#[derive(Clone, Copy)]
pub(crate) struct Need {
    package: &'static str,
    why: &'static str,
    present: fn() -> bool,
}

pub(crate) const PYTHON: Need = Need {
    package: "python3",
    why: "fetches and unpacks what is pinned",
    present: || works("python3", &["--version"]),
};
pub(crate) const PIP: Need = Need {
    package: "python3-pip",
    why: "fetches what is pinned",
    present: || works("python3", &["-m", "pip", "--version"]),
};
pub(crate) const VENV: Need = Need {
    package: "python3-venv",
    why: "keeps the OpenAI SDK of the tests apart from the system",
    present: || works("python3", &["-c", "import venv, ensurepip"]),
};
pub(crate) const COMPILER: Need = Need {
    package: "g++",
    why: "builds llama.cpp for the comparison",
    present: || works("c++", &["--version"]),
};
pub(crate) const LIBCRYPTO: Need = Need {
    package: "libssl-dev",
    why: "the database is encrypted with OpenSSL's libcrypto",
    present: || works("sh", &["-c", "echo '#include <openssl/evp.h>' | cc -E -"]),
};
pub(crate) const XAPIAN: Need = Need {
    package: "python3-xapian",
    why: "searches beside the library in its bench",
    present: || works("/usr/bin/python3", &["-c", "import xapian"]),
};
pub(crate) const CHROMIUM: Need = Need {
    package: "chromium",
    why: "the browser tests look at the page with it",
    present: || works("chromium", &["--version"]),
};
pub(crate) const FONTS: Need = Need {
    package: "fonts-dejavu-core",
    why: "letters for the browser tests' screenshots",
    present: || works("sh", &["-c", "test -n \"$(ls -A /usr/share/fonts 2>/dev/null)\""]),
};
pub(crate) const TESSERACT: Need = Need {
    package: "tesseract-ocr",
    why: "the library reads text in pictures with it",
    present: || works("tesseract", &["--version"]),
};

/// Whether apt knows a package that really installs (Ubuntu's `chromium` is a pointer to a snap).
pub(crate) fn offers_chromium() -> bool {
    std::fs::read_to_string("/etc/os-release")
        .is_ok_and(|text| text.lines().any(|line| line == "ID=debian" || line == "ID=raspbian"))
}

/// Installs what is missing, or says exactly what to type.
pub(crate) fn ensure(needs: &[Need]) -> Result<()> {
    let missing: Vec<&Need> = needs.iter().filter(|need| !(need.present)()).collect();
    if missing.is_empty() {
        return Ok(());
    }
    let packages: Vec<&str> = missing.iter().map(|need| need.package).collect();
    say(&format!("Installing system packages: {}", packages.join(", ")));
    for need in &missing {
        note(&format!("{}: {}", need.package, need.why));
    }
    let by_hand =
        format!("sudo apt-get update && sudo apt-get install --no-install-recommends {}", packages.join(" "));
    if !works("apt-get", &["--version"]) {
        bail!(
            "this system has no apt; install {} with its own package manager and run this again",
            packages.join(", ")
        );
    }
    let Some(prefix) = privilege() else {
        bail!(
            "installing packages needs root, and sudo asks for a password that nobody can type here; run\n  {by_hand}\nand then this again"
        );
    };
    let apt = |args: &[&str]| {
        let mut all: Vec<&str> = prefix.to_vec();
        all.extend(["env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "-q"]);
        all.extend(args);
        let mut command = Command::new(all[0]);
        command.args(&all[1..]);
        command
    };
    // Without a fresh list the install may still work, so a failing update is only shown.
    let mut update = apt(&["update"]);
    if let Err(error) = capture(&mut update) {
        note(&format!("{}: {error:#}", words(&update)));
    }
    let mut install = apt(&["install", "--yes", "--no-install-recommends"]);
    run(install.args(&packages))?;
    if let Some(need) = missing.iter().find(|need| !(need.present)()) {
        bail!("{} was installed but does not work; try `{by_hand}` by hand", need.package);
    }
    Ok(())
}

/// Installs what is missing if that is possible; else what needs it says that it leaves something out.
pub(crate) fn wish(needs: &[Need]) {
    if let Err(error) = ensure(needs) {
        note(&format!("going on without it: {error:#}"));
    }
}

/// How to become root: not at all, by sudo without a question, or by sudo with one when a person is there.
fn privilege() -> Option<&'static [&'static str]> {
    let is_root = capture(Command::new("id").arg("-u")).is_ok_and(|id| id.trim() == "0");
    if is_root {
        Some(&[])
    } else if works("sudo", &["-n", "true"]) {
        Some(&["sudo", "-n"])
    } else if works("sudo", &["--version"]) && std::io::stdin().is_terminal() {
        Some(&["sudo"])
    } else {
        None
    }
}
