//! A folder that is served by WebDAV (RFC 4918): asked for what is in it, folder by folder.

use std::collections::{BTreeSet, VecDeque};

use anyhow::{Context, Result, bail};
use quick_xml::Reader;
use quick_xml::events::Event;
use ureq::http::StatusCode;

use super::links::Place;
use super::mirror::{Mirror, Note};
use super::{Asker, Bounds, Fetched, Progress, read, refusal, tag};

/// Bytes of a folder's list: a hundred thousand names.
const LIST: u64 = 32 << 20;

const WANTED: &str = "<?xml version=\"1.0\"?><propfind xmlns=\"DAV:\"><prop><resourcetype/><getetag/>\
                      <getcontentlength/></prop></propfind>";

/// What a folder's list says of one thing in it.
#[derive(Debug, Default, PartialEq, Eq)]
struct Listed {
    href: String,
    folder: bool,
    tag: Option<String>,
    size: Option<u64>,
}

pub(super) fn fetch(
    asker: &Asker,
    mut mirror: Mirror,
    start: &Place,
    bounds: &Bounds,
    report: &mut dyn FnMut(&Progress<'_>),
) -> Result<Fetched> {
    let root = match start.path().ends_with('/') {
        true => start.clone(),
        false => start.follow(&format!("{}/", start.path())).context("the address is too long")?,
    };
    let mut fetched =
        Fetched { folder: mirror.folder().to_owned(), origin: root.to_string(), ..Fetched::default() };
    let mut seen = BTreeSet::from([root.clone()]);
    let mut folders = VecDeque::from([root.clone()]);
    let (mut done, mut bytes) = (0, 0);
    while let Some(folder) = folders.pop_front() {
        let listed = match list(asker, &folder) {
            Ok(listed) => listed,
            Err(error) if folder == root => return Err(error),
            Err(error) => {
                fetched.leave_out(&folder.to_string(), format!("{error:#}"));
                continue;
            }
        };
        for one in listed {
            let place = folder.follow(&one.href).filter(|place| seen.insert(place.clone()));
            let Some(place) = place else { continue };
            let Some(path) = place.below(&root).filter(|path| !path.is_empty()) else { continue };
            if one.folder {
                folders.push_back(place);
                continue;
            }
            if done >= bounds.files || bytes > bounds.all {
                let why = format!("{} files or {} GB are the most", bounds.files, bounds.all >> 30);
                fetched.leave_out(&place.to_string(), why);
                continue;
            }
            report(&Progress { done, known: u32::try_from(seen.len()).unwrap_or(u32::MAX), now: path });
            done += 1;
            match file(asker, &mut mirror, &place, path, &one, bounds.one) {
                Ok(None) => fetched.unchanged += 1,
                Ok(Some(size)) => {
                    fetched.new += 1;
                    bytes += size;
                }
                Err(error) => fetched.leave_out(&place.to_string(), format!("{error:#}")),
            }
        }
    }
    mirror.finish()?;
    Ok(fetched)
}

fn list(asker: &Asker, folder: &Place) -> Result<Vec<Listed>> {
    let mut response = asker.ask("PROPFIND", folder, None, WANTED)?;
    match response.status() {
        StatusCode::MULTI_STATUS => {}
        StatusCode::METHOD_NOT_ALLOWED | StatusCode::NOT_IMPLEMENTED => {
            bail!("{folder} is not served by WebDAV; give a website as https://…")
        }
        other => bail!(refusal(other)),
    }
    parse(&String::from_utf8_lossy(&read(&mut response, LIST)?))
}

/// The size of a file that is new.
fn file(
    asker: &Asker,
    mirror: &mut Mirror,
    place: &Place,
    path: &str,
    listed: &Listed,
    most: u64,
) -> Result<Option<u64>> {
    if let Some(size) = listed.size.filter(|size| *size > most) {
        bail!("it has {} MB, and {} MB are the most", size >> 20, most >> 20);
    }
    let before = mirror.note(path).and_then(|note| note.tag.clone());
    if before.is_some() && before == listed.tag {
        return Ok(None);
    }
    let mut response = asker.ask("GET", place, before.as_deref(), "")?;
    match response.status() {
        StatusCode::OK => {}
        StatusCode::NOT_MODIFIED => return Ok(None),
        other => bail!(refusal(other)),
    }
    let tag = listed.tag.clone().or_else(|| tag(&response));
    let bytes = read(&mut response, most)?;
    let new = mirror.keep(path, "", &bytes, Note { tag, ..Note::default() })?;
    Ok(new.then_some(bytes.len() as u64))
}

/// The things that a multistatus answer lists.
fn parse(xml: &str) -> Result<Vec<Listed>> {
    let mut reader = Reader::from_str(xml);
    let (mut all, mut one, mut inside) = (Vec::new(), Listed::default(), String::new());
    loop {
        match reader.read_event().context("the server's list of a folder is garbled")? {
            Event::Start(start) => {
                inside = local(start.name().into_inner()).to_owned();
                if inside == "response" {
                    one = Listed::default();
                }
                one.folder |= inside == "collection";
            }
            Event::Empty(start) => one.folder |= local(start.name().into_inner()) == "collection",
            Event::Text(text) => match inside.as_str() {
                "href" => one.href.push_str(text.trim()),
                "getetag" => one.tag.get_or_insert_default().push_str(text.trim()),
                "getcontentlength" => one.size = text.trim().parse().ok(),
                _ => {}
            },
            // In an address only this one stands.
            Event::GeneralRef(name) if inside == "href" && &*name == "amp" => one.href.push('&'),
            Event::GeneralRef(name) if inside == "getetag" && &*name == "quot" => {
                one.tag.get_or_insert_default().push('"');
            }
            Event::End(end) => {
                inside.clear();
                if local(end.name().into_inner()) == "response" {
                    all.push(std::mem::take(&mut one));
                }
            }
            Event::Eof => return Ok(all),
            _ => {}
        }
    }
}

fn local(name: &str) -> &str {
    name.rsplit(':').next().unwrap_or(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_is_read_whatever_prefix_the_server_likes() {
        let xml = "<?xml version=\"1.0\"?><d:multistatus xmlns:d=\"DAV:\"><d:response><d:href>/dav/</d:href><d:propstat>\
                   <d:prop><d:resourcetype><d:collection/></d:resourcetype></d:prop></d:propstat></d:response>\
                   <d:response><d:href>/dav/a%20b.txt</d:href><d:propstat><d:prop><d:resourcetype/>\
                   <d:getetag>&quot;1&quot;</d:getetag><d:getcontentlength>7</d:getcontentlength></d:prop></d:propstat>\
                   </d:response></d:multistatus>";
        let listed = parse(xml).unwrap();
        assert!(listed[0].folder && listed[0].href == "/dav/");
        let file =
            Listed { href: "/dav/a%20b.txt".into(), folder: false, tag: Some("\"1\"".into()), size: Some(7) };
        assert_eq!(listed[1], file);
        assert!(parse("<a><b").is_err());
    }
}
