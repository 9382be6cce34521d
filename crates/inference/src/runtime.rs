//! ONNX Runtime itself: one library and one environment for the whole process.

use crate::error::EngineError;
use ort::environment::Environment;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

/// The environment, once it is there. ONNX Runtime allows one a process and one library, so the first path wins.
static LOADED: Mutex<Option<(PathBuf, Environment)>> = Mutex::new(None);

/// Loads the library (the first time) and returns the environment.
pub fn load(library: &Path) -> Result<Environment, EngineError> {
    let mut loaded = LOADED.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    if let Some((path, environment)) = loaded.as_ref() {
        if path != library {
            tracing::warn!(
                loaded = %path.display(), asked = %library.display(),
                "ONNX Runtime is loaded already; a second library cannot be"
            );
        }
        return Ok(environment.clone());
    }
    let failed = |reason: String| EngineError::Library { path: library.to_owned(), reason };
    if library.as_os_str().is_empty() || !library.exists() {
        return Err(failed("there is no such file".into()));
    }
    let builder = ort::init_from(library).map_err(|e| failed(e.to_string()))?;
    let environment =
        builder.with_name("banyan").with_telemetry(false).build().map_err(|e| failed(e.to_string()))?;
    *loaded = Some((library.to_owned(), environment.clone()));
    Ok(environment)
}
