//! Puts nodes, initializers, inputs and outputs together and writes the model file.

use super::onnx::*;
use super::weights::Stored;
use super::{BuildError, WEIGHTS_FILE, WrittenFile};
use prost::Message;
use std::collections::HashSet;
use std::io::Write;
use std::path::Path;

/// ONNX Runtime's own operators.
pub(super) const CONTRIB: &str = "com.microsoft";
/// Standard operators, and their version.
pub(super) const STANDARD: &str = "";
const STANDARD_OPSET: i64 = 21;
/// ONNX IR version that goes with the opset.
const IR_VERSION: i64 = 10;

/// A size in a shape: known, or named.
#[derive(Debug, Clone, Copy)]
pub(super) enum Dim<'a> {
    Size(usize),
    Name(&'a str),
}

/// An attribute of a node.
#[derive(Debug, Clone, Copy)]
pub(super) enum Attr {
    Int(&'static str, i64),
    Float(&'static str, f32),
    Text(&'static str, &'static str),
}

/// A graph in the making.
#[derive(Debug, Default)]
pub(super) struct Graph {
    proto: GraphProto,
    constants: HashSet<String>,
}

impl Graph {
    pub(super) fn new(name: &str) -> Self {
        Self { proto: GraphProto { name: name.into(), ..GraphProto::default() }, constants: HashSet::new() }
    }

    /// Adds a node; gives the name of its first output.
    pub(super) fn node(
        &mut self,
        (domain, op): (&str, &str),
        inputs: &[&str],
        outputs: &[&str],
        attributes: &[Attr],
    ) -> String {
        // Trailing inputs that are not given are left out, as the schema wants it.
        let count = inputs.iter().rposition(|name| !name.is_empty()).map_or(0, |last| last + 1);
        self.proto.node.push(NodeProto {
            input: inputs[..count].iter().map(|&name| name.into()).collect(),
            output: outputs.iter().map(|&name| name.into()).collect(),
            name: format!("{}:{op}", outputs[0]),
            op_type: op.into(),
            attribute: attributes.iter().map(|&attribute| attribute.into()).collect(),
            domain: domain.into(),
        });
        outputs[0].into()
    }

    /// A standard operator with one output and no attributes.
    pub(super) fn simple(&mut self, op: &str, inputs: &[&str], output: &str) -> String {
        self.node((STANDARD, op), inputs, &[output], &[])
    }

    /// An initializer in the weights file.
    pub(super) fn external(&mut self, name: &str, stored: &Stored) -> String {
        let entry = |key: &str, value: String| StringEntry { key: key.into(), value };
        self.initializer(TensorProto {
            dims: stored.dims.clone(),
            data_type: stored.element as i32,
            name: name.into(),
            external_data: vec![
                entry("location", WEIGHTS_FILE.into()),
                entry("offset", stored.offset.to_string()),
                entry("length", stored.bytes.to_string()),
            ],
            data_location: DataLocation::External as i32,
            ..TensorProto::default()
        })
    }

    /// A small constant of whole numbers in the graph itself; naming the same one again is free.
    pub(super) fn ints(&mut self, name: &str, values: &[i64]) -> String {
        let raw_data = values.iter().flat_map(|v| v.to_le_bytes()).collect();
        self.inline(name, ElementType::Int64, &[values.len() as i64], raw_data)
    }

    /// A small constant of floats.
    pub(super) fn floats(&mut self, name: &str, dims: &[i64], values: &[f32]) -> String {
        let raw_data = values.iter().flat_map(|v| v.to_le_bytes()).collect();
        self.inline(name, ElementType::Float, dims, raw_data)
    }

    fn inline(&mut self, name: &str, element: ElementType, dims: &[i64], raw_data: Vec<u8>) -> String {
        self.initializer(TensorProto {
            dims: dims.to_vec(),
            data_type: element as i32,
            name: name.into(),
            raw_data,
            ..TensorProto::default()
        })
    }

    fn initializer(&mut self, tensor: TensorProto) -> String {
        let name = tensor.name.clone();
        if self.constants.insert(name.clone()) {
            self.proto.initializer.push(tensor);
        }
        name
    }

    /// True the first time it hears `name`: for nodes that several places share.
    pub(super) fn once(&mut self, name: &str) -> bool {
        self.constants.insert(name.into())
    }

    pub(super) fn input(&mut self, name: &str, element: ElementType, dims: &[Dim<'_>]) {
        self.proto.input.push(value_info(name, element, dims));
    }

    pub(super) fn output(&mut self, name: &str, element: ElementType, dims: &[Dim<'_>]) {
        self.proto.output.push(value_info(name, element, dims));
    }

    /// Writes the model file `name` into `dir`.
    pub(super) fn write(self, dir: &Path, name: &str) -> Result<WrittenFile, BuildError> {
        let opset = |domain: &str, version| OperatorSetId { domain: domain.into(), version };
        let model = ModelProto {
            ir_version: IR_VERSION,
            producer_name: "banyan-modelpack".into(),
            producer_version: env!("CARGO_PKG_VERSION").into(),
            graph: Some(self.proto),
            opset_import: vec![opset(STANDARD, STANDARD_OPSET), opset(CONTRIB, 1)],
        };
        let bytes = model.encode_to_vec();
        let path = dir.join(name);
        let fail = |source| BuildError::io(&path, source);
        let mut file = std::fs::File::create_new(&path).map_err(fail)?;
        file.write_all(&bytes).map_err(fail)?;
        file.sync_all().map_err(fail)?;
        let blake3 = blake3::hash(&bytes).to_hex().to_string();
        Ok(WrittenFile { name: name.into(), bytes: bytes.len() as u64, blake3 })
    }
}

impl From<Attr> for AttributeProto {
    fn from(attribute: Attr) -> Self {
        let (name, mut proto) = match attribute {
            Attr::Int(name, value) => (name, Self { i: Some(value), ..Self::default() }),
            Attr::Float(name, value) => (name, Self { f: Some(value), ..Self::default() }),
            Attr::Text(name, value) => (name, Self { s: Some(value.into()), ..Self::default() }),
        };
        let kind = match attribute {
            Attr::Int(..) => AttributeType::Int,
            Attr::Float(..) => AttributeType::Float,
            Attr::Text(..) => AttributeType::String,
        };
        (proto.name, proto.r#type) = (name.into(), kind as i32);
        proto
    }
}

fn value_info(name: &str, element: ElementType, dims: &[Dim<'_>]) -> ValueInfo {
    let dim = |dim: &Dim<'_>| Dimension {
        value: Some(match *dim {
            Dim::Size(size) => DimensionValue::Size(size as i64),
            Dim::Name(name) => DimensionValue::Name(name.into()),
        }),
    };
    let shape = ShapeProto { dim: dims.iter().map(dim).collect() };
    let tensor_type = TensorType { elem_type: element as i32, shape: Some(shape) };
    ValueInfo { name: name.into(), r#type: Some(TypeProto { tensor_type: Some(tensor_type) }) }
}
