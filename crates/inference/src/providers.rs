//! Execution providers: ways to compute. Each one is *tried* with a real inference before it counts as working.
//!
//! Whether a library was built with a provider says little: its driver may be missing or older, its device busy. So a
//! graph of one matrix product is run on it, with the fall-back to CPU switched off, and the numbers are checked.
//!
//! Deliberately absent: protection from a driver that kills the process. The supervisor sees that as a crash of the
//! engine; the remedy is to take the provider out of the hardware profile.

use banyan_openai::ProviderHealth;
use ort::environment::Environment;
use ort::ep::{self, ExecutionProvider as _, ExecutionProviderDispatch};
use ort::session::Session;
use ort::value::Tensor;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// The provider that every build of ONNX Runtime has.
pub const CPU: &str = "cpu";

/// A provider by its short name; `None` when this build of Banyan knows no such name.
pub(crate) fn dispatch(name: &str) -> Option<ExecutionProviderDispatch> {
    let provider = match name {
        CPU => ep::CPU::default().build(),
        "cuda" => ep::CUDA::default().build(),
        "tensorrt" => ep::TensorRT::default().build(),
        "openvino" => ep::OpenVINO::default().build(),
        _ => return None,
    };
    Some(provider.error_on_failure())
}

/// Whether a provider computes in memory of its own.
pub(crate) fn has_own_memory(name: &str) -> bool {
    matches!(name, "cuda" | "tensorrt")
}

/// Whether the loaded library was built with the provider.
fn is_built_in(name: &str) -> Result<bool, ort::Error> {
    match name {
        "cuda" => ep::CUDA::is_available(),
        "tensorrt" => ep::TensorRT::is_available(),
        "openvino" => ep::OpenVINO::is_available(),
        _ => Ok(true),
    }
}

/// Tries the providers in the order asked for. CPU is tried last when it is not among them. Names come out in the
/// order of preference, each with what happened.
pub fn try_all(environment: &Environment, asked: &[String]) -> Vec<ProviderHealth> {
    let mut names: Vec<String> = Vec::new();
    for name in asked.iter().map(|n| n.trim().to_lowercase()).chain([CPU.to_owned()]) {
        if !name.is_empty() && !names.contains(&name) {
            names.push(name);
        }
    }
    names.iter().map(|name| try_one(environment, name)).collect()
}

fn try_one(environment: &Environment, name: &str) -> ProviderHealth {
    let report =
        |tried, works, detail: String| ProviderHealth { name: name.to_owned(), tried, works, detail };
    let Some(provider) = dispatch(name) else {
        return report(false, false, "Banyan knows no provider of this name".into());
    };
    match is_built_in(name) {
        Ok(true) => {}
        Ok(false) => {
            return report(false, false, "the ONNX Runtime library was built without this provider".into());
        }
        Err(e) => return report(false, false, format!("ONNX Runtime does not say whether it has it: {e}")),
    }
    // A library older or stranger than it says can make the binding panic; that is a provider that does not work.
    match catch_unwind(AssertUnwindSafe(|| trial(environment, name, provider))) {
        Ok(Ok(())) => report(true, true, "computed a matrix product correctly".into()),
        Ok(Err(reason)) => report(true, false, reason),
        Err(_) => report(
            true,
            false,
            "the ONNX Runtime binding failed; is the library of the right version?".into(),
        ),
    }
}

/// One inference: the product of a vector with a fixed matrix.
fn trial(environment: &Environment, name: &str, provider: ExecutionProviderDispatch) -> Result<(), String> {
    let words = |e: &dyn std::fmt::Display| format!("the trial inference failed: {e}");
    let mut builder = Session::builder(environment)
        .map_err(|e| words(&e))?
        .with_no_environment_execution_providers()
        .map_err(|e| words(&e))?
        .with_intra_threads(1)
        .map_err(|e| words(&e))?;
    if name != CPU {
        builder = builder.with_disable_cpu_fallback().map_err(|e| words(&e))?;
    }
    let mut session = builder
        .with_execution_providers([provider])
        .map_err(|e| words(&e))?
        .commit_from_memory(&trial_graph())
        .map_err(|e| words(&e))?;
    let x = Tensor::from_array(([1usize, 2], vec![3.0_f32, 5.0])).map_err(|e| words(&e))?;
    let outputs = session.run(ort::inputs!["x" => x]).map_err(|e| words(&e))?;
    let (_, y) = outputs["y"].try_extract_tensor::<f32>().map_err(|e| words(&e))?;
    // [3 5] · [[1 2] [10 20]]
    if y == [53.0, 106.0] { Ok(()) } else { Err(format!("the trial inference gave {y:?} and not [53, 106]")) }
}

/// `y[1,2] = x[1,2] · W[2,2]` as ONNX protobuf: small enough to write down field by field.
fn trial_graph() -> Vec<u8> {
    let value_info = |name: &[u8]| {
        let dim = |n| number(1, n);
        let shape = [field(1, &dim(1)), field(1, &dim(2))].concat();
        let tensor = [number(1, FLOAT), field(2, &shape)].concat();
        [field(1, name), field(2, &field(1, &tensor))].concat()
    };
    let weights: Vec<u8> = [1.0_f32, 2.0, 10.0, 20.0].iter().flat_map(|x| x.to_le_bytes()).collect();
    let w = [number(1, 2), number(1, 2), number(2, FLOAT), field(8, b"w"), field(9, &weights)].concat();
    let node = [field(1, b"x"), field(1, b"w"), field(2, b"y"), field(4, b"MatMul")].concat();
    let graph = [
        field(1, &node),
        field(2, b"trial"),
        field(5, &w),
        field(11, &value_info(b"x")),
        field(12, &value_info(b"y")),
    ];
    [number(1, IR_VERSION), field(7, &graph.concat()), field(8, &number(2, OPSET))].concat()
}

/// ONNX' number for f32 tensors.
const FLOAT: u8 = 1;
/// Versions that every ONNX Runtime since 2021 reads.
const IR_VERSION: u8 = 8;
const OPSET: u8 = 15;

/// A protobuf field that holds a small number.
fn number(tag: u8, value: u8) -> Vec<u8> {
    vec![tag << 3, value]
}

/// A protobuf field that holds bytes; all of ours are shorter than 128.
fn field(tag: u8, bytes: &[u8]) -> Vec<u8> {
    let mut out = vec![(tag << 3) | 2];
    let mut len = bytes.len();
    while len >= 0x80 {
        out.push((len & 0x7F) as u8 | 0x80);
        len >>= 7;
    }
    out.push(len as u8);
    out.extend_from_slice(bytes);
    out
}
