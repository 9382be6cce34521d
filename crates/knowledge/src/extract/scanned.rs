//! Scanned PDFs: each page is a picture, which goes to the program that reads pictures, in the form it is stored in or
//! with the head of a plain picture format before it. No picture is unpacked here that the PDF's own reader does not
//! unpack.

use std::panic::{AssertUnwindSafe, catch_unwind};

use pdf_extract::{Dictionary, Document, Object, ObjectId, Stream};

use super::words::Words;
use super::{ExtractError, image, ocr, pdf, text};

/// Pictures smaller than this (points) are logos, stamps and lines, not text.
const LEAST: (u32, u32) = (200, 30);
/// A scanner that writes strips makes some ten of a page.
const PICTURES: usize = 32;
/// A page finds what it does not say itself in the group of pages that it belongs to; no honest file has so many levels.
const LEVELS: usize = 32;

/// A picture in a form that programs for pictures know.
struct Picture {
    bytes: Vec<u8>,
    size: (u32, u32),
}

pub(super) fn read(bytes: &[u8], words: &mut Words<'_>) -> Result<(), ExtractError> {
    let document = pdf::open(bytes, words)?;
    for (number, page) in document.get_pages() {
        words.page(number);
        let (pictures, unknown) =
            catch_unwind(AssertUnwindSafe(|| pictures(&document, page))).unwrap_or_default();
        if unknown > 0 {
            words.warn(format!("a picture on page {number} is stored in a way that cannot be read"));
        }
        for picture in pictures {
            match ocr::text_in(&picture.bytes, picture.size, words)
                .and_then(|found| text::paragraphs(&found, words))
            {
                Ok(()) => {}
                Err(ExtractError::TooSlow { limit, .. }) if words.count() > 0 => {
                    let minutes = limit.as_secs().div_ceil(60);
                    words.warn(format!(
                        "only the pages before page {number} were read, in {minutes} minutes; split the rest off and add it by itself"
                    ));
                    return Ok(());
                }
                Err(ExtractError::Ocr(_) | ExtractError::TooManyPixels { .. }) => {
                    words.warn(format!("a picture on page {number} could not be read"));
                }
                Err(error) => return Err(error),
            }
        }
    }
    words.warn(ocr::LOOK_IT_OVER);
    Ok(())
}

/// The pictures on a page, and how many there are in a form that is not known.
fn pictures(document: &Document, page: ObjectId) -> (Vec<Picture>, usize) {
    let (mut found, mut unknown) = (Vec::new(), 0);
    let objects =
        inherited(document, page, b"Resources").and_then(|it| dictionary(document, it.get(b"XObject").ok()?));
    for (_, object) in objects.into_iter().flatten().take(PICTURES) {
        let Ok((_, Object::Stream(stream))) = document.dereference(object) else { continue };
        if !stream.dict.get(b"Subtype").and_then(Object::as_name).is_ok_and(|kind| kind == b"Image") {
            continue;
        }
        let number = |key: &[u8]| u32::try_from(value(document, &stream.dict, key)?.as_i64().ok()?).ok();
        let (Some(width), Some(height)) = (number(b"Width"), number(b"Height")) else { continue };
        if width < LEAST.0 || height < LEAST.1 {
            continue;
        }
        match picture(document, stream, (width, height)) {
            Some(picture) => found.push(picture),
            None => unknown += 1,
        }
    }
    (found, unknown)
}

fn picture(document: &Document, stream: &Stream, size: (u32, u32)) -> Option<Picture> {
    let filters = stream.filters().unwrap_or_default();
    match filters.as_slice() {
        // These are files in themselves. What they say of their size counts.
        [b"DCTDecode"] => {
            let size = image::size(&stream.content)?;
            Some(Picture { bytes: stream.content.clone(), size })
        }
        [b"CCITTFaxDecode"] => Some(Picture { bytes: fax(document, stream, size)?, size }),
        _ => {
            let bits = value(document, &stream.dict, b"BitsPerComponent").and_then(|bits| bits.as_i64().ok());
            let mut points = stream.decompressed_content().ok()?;
            if is_negative(document, stream) {
                points.iter_mut().for_each(|byte| *byte = !*byte);
            }
            Some(Picture { bytes: plain(&points, bits.unwrap_or(1), size)?, size })
        }
    }
}

/// Points as they are, with the head of a PNM file: one bit or one byte for each, or three for red, green and blue.
fn plain(points: &[u8], bits: i64, (width, height): (u32, u32)) -> Option<Vec<u8>> {
    let (across, down) = (usize::try_from(width).ok()?, usize::try_from(height).ok()?);
    let row = |bytes: usize| bytes.checked_mul(down).filter(|&all| points.len() >= all);
    let (kind, length) = if bits == 1 {
        ("P4", row(across.div_ceil(8))?)
    } else if bits != 8 {
        return None;
    } else if let Some(length) = row(across.checked_mul(3)?) {
        ("P6", length)
    } else {
        ("P5", row(across)?)
    };
    let depth = if kind == "P4" { "" } else { "255\n" };
    let mut file = format!("{kind}\n{width} {height}\n{depth}").into_bytes();
    // In a PDF a bit that is set is white, in a PBM black.
    let turned = if kind == "P4" { 0xff } else { 0 };
    file.extend(points[..length].iter().map(|byte| byte ^ turned));
    Some(file)
}

/// What fax machines and office scanners send, with the head of a TIFF file.
fn fax(document: &Document, stream: &Stream, (width, height): (u32, u32)) -> Option<Vec<u8>> {
    let parameters = stream.dict.get(b"DecodeParms").ok().and_then(|it| dictionary(document, it));
    let parameter = |key: &[u8]| value(document, parameters?, key);
    let number = |key: &[u8]| parameter(key)?.as_i64().ok();
    let (compression, options) = match number(b"K").unwrap_or(0) {
        ..0 => (4, 0),
        0 => (3, 0),
        1.. => (3, 1),
    };
    let columns = number(b"Columns").and_then(|columns| u32::try_from(columns).ok()).unwrap_or(width);
    let length = u32::try_from(stream.content.len()).ok()?;
    let black_is_one = parameter(b"BlackIs1").is_some_and(|it| it.as_bool().unwrap_or(false));
    let white_is_one = u32::from(black_is_one != is_negative(document, stream));
    // Tag, and its value as one 32-bit number: width, height, bits, compression, what a one means, where the data is, rows
    // in it, its length, the kind of fax.
    let entries = [
        (256_u16, columns),
        (257, height),
        (258, 1),
        (259, compression),
        (262, white_is_one),
        (273, 8 + 2 + 9 * 12 + 4),
        (278, height),
        (279, length),
        (292, options),
    ];
    let mut file = b"II*\0\x08\0\0\0\x09\0".to_vec();
    for (tag, value) in entries {
        file.extend(tag.to_le_bytes());
        // Of type LONG, and one of it.
        file.extend([4, 0, 1, 0, 0, 0]);
        file.extend(value.to_le_bytes());
    }
    file.extend([0; 4]);
    file.extend(&stream.content);
    Some(file)
}

/// Whether the picture says of itself that light is dark.
fn is_negative(document: &Document, stream: &Stream) -> bool {
    let ends = value(document, &stream.dict, b"Decode").and_then(|ends| ends.as_array().ok());
    ends.and_then(|ends| ends.first()?.as_float().ok()).is_some_and(|first| first > 0.5)
}

/// What a page or a group that it belongs to says under this key.
fn inherited<'d>(document: &'d Document, page: ObjectId, key: &[u8]) -> Option<&'d Dictionary> {
    let mut at = document.get_dictionary(page).ok()?;
    for _ in 0..LEVELS {
        if let Ok(found) = at.get(key) {
            return dictionary(document, found);
        }
        at = dictionary(document, at.get(b"Parent").ok()?)?;
    }
    None
}

fn dictionary<'d>(document: &'d Document, object: &'d Object) -> Option<&'d Dictionary> {
    document.dereference(object).ok()?.1.as_dict().ok()
}

fn value<'d>(document: &'d Document, of: &'d Dictionary, key: &[u8]) -> Option<&'d Object> {
    Some(document.dereference(of.get(key).ok()?).ok()?.1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn points_get_the_head_that_fits_them() {
        assert_eq!(plain(&[0x0f, 0xf0], 1, (5, 2)).unwrap(), b"P4\n5 2\n\xf0\x0f");
        assert_eq!(plain(&[1, 2], 8, (2, 1)).unwrap(), b"P5\n2 1\n255\n\x01\x02");
        assert_eq!(plain(&[1, 2, 3], 8, (1, 1)).unwrap(), b"P6\n1 1\n255\n\x01\x02\x03");
        assert_eq!(plain(&[1, 2, 3], 16, (1, 1)), None);
        assert_eq!(plain(&[1], 8, (1, 2)), None);
        assert_eq!(plain(&[], 8, (u32::MAX, u32::MAX)), None);
    }
}
