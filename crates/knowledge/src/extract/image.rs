//! How many points a picture has, from its first bytes: before any program unpacks it.

/// Width and height. None when the picture does not say, or is damaged.
pub(super) fn size(bytes: &[u8]) -> Option<(u32, u32)> {
    match bytes {
        [0x89, b'P', b'N', b'G', ..] => Some((u32_be(bytes, 16)?, u32_be(bytes, 20)?)),
        [b'G', b'I', b'F', b'8', ..] => Some((u16_le(bytes, 6)?.into(), u16_le(bytes, 8)?.into())),
        [b'B', b'M', ..] => {
            let height = u32_le(bytes, 22)?.cast_signed().unsigned_abs();
            Some((u32_le(bytes, 18)?, height))
        }
        [b'R', b'I', b'F', b'F', ..] => webp(bytes),
        [0xff, 0xd8, ..] => jpeg(bytes),
        [b'I', b'I', ..] => tiff(bytes, u16_le, u32_le),
        [b'M', b'M', ..] => tiff(bytes, u16_be, u32_be),
        _ => None,
    }
}

/// Segment after segment to the one that holds the frame.
fn jpeg(bytes: &[u8]) -> Option<(u32, u32)> {
    let mut at = 2;
    loop {
        if *bytes.get(at)? != 0xff {
            return None;
        }
        let marker = *bytes.get(at + 1)?;
        match marker {
            // Filling.
            0xff => at += 1,
            // Restarts and such have no length.
            0x01 | 0xd0..=0xd8 => at += 2,
            // A frame; C4, C8 and CC are tables.
            0xc0..=0xcf if !matches!(marker, 0xc4 | 0xc8 | 0xcc) => {
                return Some((u16_be(bytes, at + 7)?.into(), u16_be(bytes, at + 5)?.into()));
            }
            _ => at += 2 + usize::from(u16_be(bytes, at + 2)?.max(2)),
        }
    }
}

fn webp(bytes: &[u8]) -> Option<(u32, u32)> {
    match bytes.get(12..16)? {
        b"VP8X" => {
            let three = |at| Some(u32::from(u16_le(bytes, at)?) | (u32::from(*bytes.get(at + 2)?) << 16));
            Some((three(24)? + 1, three(27)? + 1))
        }
        b"VP8L" => {
            let bits = u32_le(bytes, 21)?;
            Some(((bits & 0x3fff) + 1, ((bits >> 14) & 0x3fff) + 1))
        }
        b"VP8 " => Some((u32::from(u16_le(bytes, 26)? & 0x3fff), u32::from(u16_le(bytes, 28)? & 0x3fff))),
        _ => None,
    }
}

/// The first picture's directory: entries of twelve bytes, each a tag, a type, a count and a value.
fn tiff(
    bytes: &[u8],
    short: fn(&[u8], usize) -> Option<u16>,
    long: fn(&[u8], usize) -> Option<u32>,
) -> Option<(u32, u32)> {
    let directory = usize::try_from(long(bytes, 4)?).ok()?;
    let entries = usize::from(short(bytes, directory)?);
    let (mut width, mut height) = (None, None);
    for entry in 0..entries {
        let at = directory.checked_add(2 + 12 * entry)?;
        let value = match short(bytes, at + 2)? {
            3 => short(bytes, at + 8)?.into(),
            _ => long(bytes, at + 8)?,
        };
        match short(bytes, at)? {
            256 => width = Some(value),
            257 => height = Some(value),
            _ => {}
        }
    }
    Some((width?, height?))
}

fn u16_be(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_be_bytes(bytes.get(at..at.checked_add(2)?)?.try_into().ok()?))
}

fn u16_le(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_le_bytes(bytes.get(at..at.checked_add(2)?)?.try_into().ok()?))
}

fn u32_be(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_be_bytes(bytes.get(at..at.checked_add(4)?)?.try_into().ok()?))
}

fn u32_le(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_le_bytes(bytes.get(at..at.checked_add(4)?)?.try_into().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_size_of_every_kind_of_picture_is_known() {
        let png = b"\x89PNG\r\n\x1a\n\0\0\0\x0dIHDR\0\0\x01\0\0\0\0\x02\x08";
        let jpeg = b"\xff\xd8\xff\xe0\0\x04ab\xff\xc0\0\x0b\x08\0\x02\x01\0\x01";
        let gif = b"GIF89a\0\x01\x02\0";
        let bmp = b"BM\0\0\0\0\0\0\0\0\0\0\0\0\x28\0\0\0\0\x01\0\0\xfe\xff\xff\xff";
        let webp = b"RIFF\0\0\0\0WEBPVP8X\x0a\0\0\0\0\0\0\0\xff\0\0\x01\0\0";
        let tiff = b"II*\0\x08\0\0\0\x02\0\0\x01\x03\0\x01\0\0\0\0\x01\0\0\x01\x01\x04\0\x01\0\0\0\x02\0\0\0";
        for picture in [&png[..], jpeg, gif, bmp, webp, tiff] {
            assert_eq!(size(picture), Some((256, 2)), "{picture:?}");
        }
    }

    #[test]
    fn a_picture_that_ends_early_has_no_size() {
        for picture in
            [&b"\x89PNG\r\n"[..], b"\xff\xd8\xff\xe0\xff\xff", b"MM\0*\xff\xff\xff\xff", b"RIFF", b""]
        {
            assert_eq!(size(picture), None, "{picture:?}");
        }
    }
}
