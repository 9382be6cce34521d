//! Puts the web app's build into the binary. Without one (`web/dist` is empty or absent) the portal still builds, and
//! serves its plain pages only.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::{env, fs, io};

fn main() -> io::Result<()> {
    let dist = PathBuf::from("../../web/dist");
    // Cargo takes a path that does not exist for one that always changes; an empty folder is ignored by git.
    fs::create_dir_all(&dist).ok();
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rerun-if-changed={}", dist.display());

    let mut files = Vec::new();
    collect(&dist.join("assets"), &mut files)?;
    files.sort();
    let mut table = String::from("static FILES: &[Embedded] = &[\n");
    for file in files.iter().filter(|file| file.extension().is_none_or(|extension| extension != "gz")) {
        let bytes = fs::read(file)?;
        let path = file.strip_prefix(&dist).map_err(io::Error::other)?.display().to_string();
        let gzip = PathBuf::from(format!("{}.gz", file.display()));
        let gzip = if gzip.is_file() { format!("Some({})", include(&gzip)?) } else { "None".into() };
        let etag = format!("\"{}\"", &blake3::hash(&bytes).to_hex()[..16]);
        writeln!(
            table,
            "    Embedded {{ path: {path:?}, bytes: {}, gzip: {gzip}, etag: {etag:?} }},",
            include(file)?
        )
        .map_err(io::Error::other)?;
    }
    let manifest = fs::read_to_string(dist.join(".vite/manifest.json")).unwrap_or_else(|_| "{}".into());
    writeln!(table, "];\nstatic MANIFEST: &str = {manifest:?};").map_err(io::Error::other)?;
    let out = env::var_os("OUT_DIR").ok_or_else(|| io::Error::other("cargo sets OUT_DIR"))?;
    fs::write(Path::new(&out).join("web_assets.rs"), table)
}

fn include(file: &Path) -> io::Result<String> {
    Ok(format!("include_bytes!({:?})", fs::canonicalize(file)?.display().to_string()))
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) -> io::Result<()> {
    let Ok(entries) = fs::read_dir(folder) else { return Ok(()) };
    for entry in entries {
        let path = entry?.path();
        if path.is_dir() {
            collect(&path, files)?;
        } else {
            files.push(path);
        }
    }
    Ok(())
}
