//! The graphs, run by ONNX Runtime.

mod adapters;
mod parity;
mod session;
