//! The ONNX graphs and their weights.
