//! A PEFT folder becomes an adapter pack, as [`mod@crate::import`] makes model packs.

use super::manifest::{self, AdapterManifest, Base, FILE_NAME, TENSORS_FILE};
use super::peft::{CONFIG, Part, PeftFolder, TENSORS};
use super::{Adapter, AdapterError, AdapterStore, Projection, weights_of};
use crate::graph;
use crate::import::{Workshop, check_space, describe, hash_files, io, lock, sync_folder};
use crate::manifest::{FileEntry, Kind, Provenance, is_valid_name};
use crate::pack::Pack;
use crate::source::Stored;
use crate::source::dequant::dequantize_rows;
use crate::source::hf::malformed;
use serde_json::{Map, Value, json};
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;

/// Rows converted at a time where their order stays.
const ROWS: usize = 256;

/// What may be chosen.
#[derive(Debug, Clone, Default)]
pub struct AdapterOptions {
    /// The adapter's name; by default it follows from its folder's.
    pub name: Option<String>,
    /// Its licence, when it is known.
    pub licence: Option<String>,
}

/// Imports the PEFT folder `source` for the model `base` into `store`.
pub fn import(
    source: &Path,
    base: &Pack,
    store: &AdapterStore,
    options: &AdapterOptions,
) -> Result<Adapter, AdapterError> {
    let model = base.manifest();
    let weights = weights_of(model).filter(|_| model.kind == Kind::Decoder);
    let source = source.canonicalize().map_err(io(source))?;
    let last = source.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let name = options.name.clone().unwrap_or_else(|| describe::slug(&last));
    if !is_valid_name(&name) {
        return Err(AdapterError::Name(name));
    }
    let Some(weights) = weights else {
        let what = "only models that answer questions take adapters".into();
        return Err(AdapterError::OtherBase { adapter: name, model: model.name.clone(), what });
    };
    let folder = PeftFolder::open(&source, &model.architecture)?;
    let graph_path = base.graph_path();
    let interleaved = graph::rotates_neighbours(&graph_path)
        .map_err(|source| AdapterError::Io { path: graph_path.display().to_string(), source })?;
    let order = if interleaved { Some(model.architecture.head_dim) } else { None };

    std::fs::create_dir_all(store.dir()).map_err(io(store.dir()))?;
    let _lock = lock(store.dir())?;
    let place = store.dir().join(&name);
    if place.exists() {
        return Err(AdapterError::Exists(name));
    }
    let (header, bytes) = header(&folder);
    check_space(store.dir(), bytes)?;
    let workshop = Workshop::new(store.dir(), &name)?;
    let source_blake3 = hash_files(&[source.join(TENSORS), source.join(CONFIG)], &mut |_, _| ())?;
    let file = write(&folder, &header, order, &workshop.dir.join(TENSORS_FILE))?;
    let mut modules: Vec<Projection> = folder.parts.keys().map(|(_, projection)| *projection).collect();
    modules.sort();
    modules.dedup();
    let manifest = AdapterManifest {
        format: manifest::FORMAT,
        name,
        rank: folder.parts.values().map(|part| part.rank).max().unwrap_or(0),
        alpha: folder.alpha,
        modules,
        licence: options.licence.clone(),
        base: Base {
            model: model.name.clone(),
            weights_blake3: weights.to_owned(),
            trained_on: folder.trained_on,
        },
        provenance: Provenance {
            source: last,
            source_blake3,
            imported_by: concat!("banyan ", env!("CARGO_PKG_VERSION")).into(),
            imported_at: jiff::Timestamp::now(),
        },
        files: vec![file],
    };
    let text = manifest.to_toml().map_err(crate::import::ImportError::from)?;
    workshop.write(FILE_NAME, text.as_bytes())?;
    sync_folder(&workshop.dir)?;
    Adapter::read(&workshop.dir)?;
    std::fs::rename(&workshop.dir, &place).map_err(io(&place))?;
    sync_folder(store.dir())?;
    Adapter::open(&place)
}

/// The new file's header, and the bytes of the whole file.
fn header(folder: &PeftFolder) -> (Vec<u8>, u64) {
    let (mut fields, mut end) = (Map::new(), 0);
    for ((layer, projection), part) in &folder.parts {
        for (name, stored) in [(projection.lora_a(*layer), &part.a), (projection.lora_b(*layer), &part.b)] {
            let (begin, shape) = (end, [stored.info.rows, stored.info.cols]);
            end += (shape[0] * shape[1] * size_of::<f32>()) as u64;
            fields.insert(name, json!({"dtype": "F32", "shape": shape, "data_offsets": [begin, end]}));
        }
    }
    let text = Value::from(fields).to_string();
    // Numbers begin at a multiple of eight bytes.
    let text = format!("{text:<width$}", width = text.len().next_multiple_of(8));
    let mut bytes = (text.len() as u64).to_le_bytes().to_vec();
    bytes.extend(text.as_bytes());
    let length = bytes.len() as u64 + end;
    (bytes, length)
}

/// Writes the tensors, in the order of the header's offsets.
fn write(
    folder: &PeftFolder,
    header: &[u8],
    interleaved_heads: Option<usize>,
    path: &Path,
) -> Result<FileEntry, AdapterError> {
    let mut out = Output {
        file: BufWriter::new(File::create_new(path).map_err(io(path))?),
        hasher: blake3::Hasher::new(),
        bytes: 0,
    };
    let failed = |source| AdapterError::from(io(path)(source));
    out.put(header).map_err(failed)?;
    for ((_, projection), Part { scale, a, b, .. }) in &folder.parts {
        let mut part = |stored: &Stored, scale: f32, head: Option<usize>| {
            stream(&folder.file, &folder.path, stored, head.unwrap_or(ROWS), |_, values| {
                if values.iter().any(|value| !value.is_finite()) {
                    let name = projection.name();
                    return Err(
                        malformed(&folder.path, format!("{name} holds numbers that are not finite")).into()
                    );
                }
                values.iter_mut().for_each(|value| *value *= scale);
                let rows = values.chunks_exact(stored.info.cols.max(1));
                match head {
                    None => rows.clone().try_for_each(|row| out.put_floats(row)),
                    Some(head) => {
                        let row = |i: usize| rows.clone().nth(i % 2 * (head / 2) + i / 2).unwrap_or_default();
                        (0..rows.len()).try_for_each(|i| out.put_floats(row(i)))
                    }
                }
                .map_err(failed)
            })
        };
        part(a, 1.0, None)?;
        part(b, *scale, interleaved_heads.filter(|_| projection.is_rotated()))?;
    }
    let mut file = out.file.into_inner().map_err(|e| failed(e.into_error()))?;
    file.flush().and_then(|()| file.sync_all()).map_err(failed)?;
    Ok(FileEntry {
        path: TENSORS_FILE.into(),
        bytes: out.bytes,
        blake3: out.hasher.finalize().to_hex().to_string(),
    })
}

/// A file and the hash of what goes into it.
struct Output {
    file: BufWriter<File>,
    hasher: blake3::Hasher,
    bytes: u64,
}

impl Output {
    fn put(&mut self, bytes: &[u8]) -> std::io::Result<()> {
        self.hasher.update(bytes);
        self.bytes += bytes.len() as u64;
        self.file.write_all(bytes)
    }

    fn put_floats(&mut self, values: &[f32]) -> std::io::Result<()> {
        let bytes: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
        self.put(&bytes)
    }
}

/// Reads a tensor in blocks of `block` rows, as floats; `take` is told the first row of each.
pub(super) fn stream(
    file: &File,
    path: &Path,
    stored: &Stored,
    block: usize,
    mut take: impl FnMut(usize, &mut [f32]) -> Result<(), AdapterError>,
) -> Result<(), AdapterError> {
    let (mut bytes, mut values) = (Vec::new(), Vec::new());
    let mut first = 0;
    while first < stored.info.rows {
        let end = first.saturating_add(block.max(1)).min(stored.info.rows);
        stored.read_rows(file, path, "lora", first..end, &mut bytes)?;
        values.clear();
        dequantize_rows(stored.info.dtype, stored.info.cols, &bytes, &mut values);
        take(first, &mut values)?;
        first = end;
    }
    Ok(())
}
