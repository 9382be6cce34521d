//! A website, page by page, from the address that was given and never out of its folder.

use std::collections::{BTreeSet, VecDeque};

use anyhow::{Result, bail};
use ureq::http::{StatusCode, header};

use super::links::{Place, links};
use super::mirror::{Mirror, Note};
use super::robots::Robots;
use super::{Asker, Bounds, Fetched, Progress, read, refusal, tag};

/// Redirects after one another.
const REDIRECTS: u32 = 5;

/// Bytes of robots.txt that are read; more is no robots.txt.
const ROBOTS: u64 = 512 << 10;

/// What holds no words that anybody could read.
const NO_WORDS: [&str; 22] = [
    "css", "js", "mjs", "map", "json", "xml", "rss", "ico", "svg", "png", "jpg", "jpeg", "gif", "webp",
    "avif", "woff", "woff2", "ttf", "mp3", "mp4", "webm", "zip",
];

pub(super) fn fetch(
    asker: &Asker,
    mut mirror: Mirror,
    start: &Place,
    bounds: &Bounds,
    report: &mut dyn FnMut(&Progress<'_>),
) -> Result<Fetched> {
    let folder = start.folder();
    let robots = robots(asker, start)?;
    let mut fetched =
        Fetched { folder: mirror.folder().to_owned(), origin: folder.to_string(), ..Fetched::default() };
    let mut known = BTreeSet::from([start.clone()]);
    let mut waiting = VecDeque::from([start.clone()]);
    let (mut done, mut bytes) = (0, 0);
    while let Some(place) = waiting.pop_front() {
        let Some(path) = place.below(&folder).map(str::to_owned) else { continue };
        if done >= bounds.files {
            fetched.leave_out(
                &format!("{} more pages", waiting.len() + 1),
                format!("--pages {} was reached; give a higher number", bounds.files),
            );
            break;
        }
        if bytes > bounds.all {
            fetched.leave_out(
                &format!("{} more pages", waiting.len() + 1),
                format!("{} GB were fetched", bounds.all >> 30),
            );
            break;
        }
        if !robots.allows(place.path()) {
            fetched.leave_out(&place.to_string(), "the site's robots.txt asks programs to leave it alone");
            continue;
        }
        report(&Progress { done, known: u32::try_from(known.len()).unwrap_or(u32::MAX), now: &path });
        done += 1;
        match page(asker, &mut mirror, &place, &path, bounds.one) {
            Ok(Page { new, size, leads }) => {
                *(if new { &mut fetched.new } else { &mut fetched.unchanged }) += 1;
                bytes += size;
                for next in leads.iter().filter_map(|link| place.follow(link)) {
                    if next.below(&folder).is_some() && has_words(&next) && known.insert(next.clone()) {
                        waiting.push_back(next);
                    }
                }
            }
            // Without the first page there is nothing; any other is one page less.
            Err(error) if done == 1 => return Err(error),
            Err(error) => fetched.leave_out(&place.to_string(), format!("{error:#}")),
        }
    }
    mirror.finish()?;
    Ok(fetched)
}

struct Page {
    new: bool,
    size: u64,
    leads: Vec<String>,
}

fn page(asker: &Asker, mirror: &mut Mirror, place: &Place, path: &str, most: u64) -> Result<Page> {
    let before = mirror.note(path).cloned();
    let known = before.as_ref().and_then(|note| note.tag.as_deref());
    let mut response = asker.ask("GET", place, known, "")?;
    match (response.status(), before) {
        (StatusCode::OK, _) => {}
        (StatusCode::NOT_MODIFIED, Some(before)) => {
            return Ok(Page { new: false, size: 0, leads: before.links });
        }
        (status, _) if status.is_redirection() => {
            let to = response.headers().get(header::LOCATION).and_then(|to| to.to_str().ok());
            // Followed like a link: within the folder, and each place once.
            return Ok(Page { new: false, size: 0, leads: to.map(str::to_owned).into_iter().collect() });
        }
        (status, _) => bail!(refusal(status)),
    }
    let kind = response.headers().get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
    let kind = kind.unwrap_or_default().to_ascii_lowercase();
    if ["image/", "audio/", "video/", "font/", "text/css"].iter().any(|none| kind.starts_with(none)) {
        bail!("it holds no words ({kind})");
    }
    let is_page = kind.starts_with("text/html") || kind.starts_with("application/xhtml");
    let tag = tag(&response);
    let bytes = read(&mut response, most)?;
    let leads = if is_page { links(&String::from_utf8_lossy(&bytes)) } else { Vec::new() };
    let note = Note { tag, links: leads.clone(), name: String::new() };
    let new = mirror.keep(path, if is_page { ".html" } else { "" }, &bytes, note)?;
    Ok(Page { new, size: bytes.len() as u64, leads })
}

fn has_words(place: &Place) -> bool {
    let last = place.path().rsplit('/').next().unwrap_or_default();
    let ending = last.rsplit_once('.').map(|(_, ending)| ending.to_ascii_lowercase());
    ending.is_none_or(|ending| !NO_WORDS.contains(&ending.as_str()))
}

/// A site without one allows everything.
fn robots(asker: &Asker, start: &Place) -> Result<Robots> {
    let Some(mut place) = start.follow("/robots.txt") else { return Ok(Robots::default()) };
    for _ in 0..REDIRECTS {
        let mut response = asker.ask("GET", &place, None, "")?;
        if response.status() == StatusCode::OK {
            return Ok(read(&mut response, ROBOTS)
                .map(|bytes| Robots::parse(&String::from_utf8_lossy(&bytes)))
                .unwrap_or_default());
        }
        let to = response.headers().get(header::LOCATION).and_then(|to| to.to_str().ok());
        match to.and_then(|to| place.follow(to)) {
            Some(next) if response.status().is_redirection() => place = next,
            _ => break,
        }
    }
    Ok(Robots::default())
}
